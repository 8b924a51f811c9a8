"""What a job costs this thread: instructions retired if the kernel counts them, else CPU time.

Instructions do not depend on the clock's speed or on the neighbours; few virtual machines have the counter.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

# perf_event_open(2), by machine
SYSCALL = {"x86_64": 298, "aarch64": 241}
HARDWARE, INSTRUCTIONS = 0, 1
EXCLUDE_KERNEL, EXCLUDE_HYPERVISOR = 1 << 5, 1 << 6
ATTRIBUTES_SIZE, FLAGS_AT = 128, 40


@dataclass(frozen=True)
class Meter:
    """A counter of this thread; `read()` differences divided by `per` are in `unit`."""

    name: str
    unit: str
    per: float
    read: Callable[[], int]


CPU_TIME = Meter("CPU time", "CPU µs", 1000, time.thread_time_ns)
# the only one that sees what a statement costs the database
ELAPSED = Meter("elapsed time", "µs", 1000, time.perf_counter_ns)


def best_meter() -> Meter:
    """Instructions retired if this kernel counts them, else CPU time."""
    counter = open_counter(HARDWARE, INSTRUCTIONS)
    if counter is None:
        return CPU_TIME
    return Meter("instructions retired", "1000 instructions", 1000, counter)


def open_counter(kind: int, event: int) -> Callable[[], int] | None:
    """A reader of the kernel's counter of this thread, the kernel's own work left out; None if there is none."""
    number = SYSCALL.get(platform.machine())
    if number is None or platform.system() != "Linux":
        return None
    attributes = bytearray(ATTRIBUTES_SIZE)
    struct.pack_into("=IIQ", attributes, 0, kind, ATTRIBUTES_SIZE, event)
    struct.pack_into("=Q", attributes, FLAGS_AT, EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR)
    this_thread, any_cpu, no_group, no_flags = 0, -1, -1, 0
    call = ctypes.CDLL(None, use_errno=True).syscall
    file = call(number, bytes(attributes), this_thread, any_cpu, no_group, no_flags)
    if file < 0:
        return None
    return lambda: int.from_bytes(os.read(file, 8), "little")
