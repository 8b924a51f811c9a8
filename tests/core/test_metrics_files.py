"""A metrics file that cannot be read is left out of /metrics, and takes no other along."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from structlog.testing import capture_logs

from apps.core.telemetry.exposition import AllProcesses
from apps.core.telemetry.slots import Slots


def totals(files: AllProcesses) -> dict[str, float]:
    return {sample.name: sample.value for metric in files.collect() for sample in metric.samples}


def counted(path: Path) -> None:
    file = MmapedDict(str(path))  # type: ignore[no-untyped-call]
    file.write_value(mmap_key("seen", "seen_total", [], [], "Seen."), 3.0, 0.0)  # type: ignore[no-untyped-call]
    file.close()  # type: ignore[no-untyped-call]


def test_a_file_that_a_killed_process_has_only_begun_is_left_out(tmp_path: Path) -> None:
    counted(tmp_path / "counter_1.db")
    (tmp_path / "counter_0.db").touch()
    with capture_logs() as lines:
        assert totals(AllProcesses(Slots(tmp_path))) == {"seen_total": 3.0}
    assert lines == []


@pytest.mark.parametrize(
    "rest",
    [b"\x40", struct.pack("i", 64), struct.pack("ii", 64, 0), struct.pack("iii", 64, 0, 99), struct.pack("i60x", 64)],
    ids=["one byte", "its length alone", "its head alone", "a key past its end", "zeros where keys were"],
)
def test_a_half_written_file_is_left_out_and_said_to_be(tmp_path: Path, rest: bytes) -> None:
    counted(tmp_path / "counter_1.db")
    (tmp_path / "counter_0.db").write_bytes(rest)
    with capture_logs() as lines:
        assert totals(AllProcesses(Slots(tmp_path))) == {"seen_total": 3.0}
    assert [(line["event"], Path(line["path"]).name) for line in lines] == [("metrics_file_unreadable", "counter_0.db")]


def test_files_that_go_while_they_are_read_take_no_other_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted(tmp_path / "counter_1.db")
    gone = [tmp_path / f"counter_{number}.db" for number in range(2, 9)]
    for path in gone:
        counted(path)
    merge = MultiProcessCollector.merge

    def merge_as_one_goes(files: list[str], accumulate: bool) -> Any:
        if len(files) > 1 and gone:
            gone.pop().unlink()
        return merge(files, accumulate)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(MultiProcessCollector, "merge", merge_as_one_goes)
    assert totals(AllProcesses(Slots(tmp_path))) == {"seen_total": 3.0}
