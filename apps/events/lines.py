"""Lines: the deliveries of one aggregate to one receiver, which go in the order of their ids.

Only the head of a line is looked for: a delivery that was made while an earlier one waited is marked `behind`, and a
trigger of the table takes the mark off when nothing is before it any more. Whoever claims a head claims the run that
follows it under the same lease, so a line is never worked by two at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import ceil

from django.db import connection

from apps.core.queue.work_queue import LeaseLost, any_due
from apps.events.bus import room_for_bulk
from apps.events.models import Delivery

# the truth, of which the mark is a hint: an earlier delivery of the same aggregate to the same receiver goes first
IN_ORDER = """NOT q.behind AND NOT EXISTS (SELECT 1 FROM events_delivery e WHERE e.receiver = q.receiver
    AND e.aggregate = q.aggregate AND e.id + 0 < q.id AND e.due_at IS NOT NULL)"""
# what a person waits for, and what is bulk
CLASSES = ("NOT q.bulk", "q.bulk")
DIRECT = tuple(f"NOT q.waits AND {which} AND {IN_ORDER}" for which in CLASSES)
WAITING = tuple(f"q.waits AND {which} AND {IN_ORDER}" for which in CLASSES)
# The heads share the room, so runs only take what other heads leave. "id + 0" is the order of the index of lines: by
# "id" a plan may read all that was settled before. The LIMIT of runs tells the planner how few they are. A run ends
# before the first row that another transaction has locked: a claim has locks itself, and never waits for one.
CLAIM = """
    WITH heads AS (
        SELECT q.id, q.receiver, q.aggregate, q.waits FROM events_delivery q
        WHERE q.due_at <= statement_timestamp() AND {heads}
        ORDER BY q.due_at, q.id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED),
    runs AS (
        SELECT run.id, heads.id AS head, run.place FROM heads CROSS JOIN LATERAL (
            SELECT id, row_number() OVER line AS place,
                bool_and(due_at <= statement_timestamp() AND waits = heads.waits) OVER line AS ready
            FROM (SELECT q.id, q.due_at, q.waits FROM events_delivery q
                WHERE q.receiver = heads.receiver AND q.aggregate = heads.aggregate AND q.due_at IS NOT NULL
                  AND q.id + 0 >= heads.id
                ORDER BY q.id + 0 LIMIT greatest(%(limit)s / (SELECT count(*) FROM heads), 1)) rows
            WINDOW line AS (ORDER BY id + 0)) run
        WHERE run.ready LIMIT %(limit)s),
    free AS (
        SELECT q.id, runs.head, runs.place FROM runs JOIN events_delivery q ON q.id = runs.id
        WHERE q.due_at <= statement_timestamp() FOR NO KEY UPDATE OF q SKIP LOCKED),
    unbroken AS (
        SELECT id FROM (SELECT id, place = row_number() OVER (PARTITION BY head ORDER BY place) AS follows FROM free) f
        WHERE follows),
    claimed AS (
        UPDATE events_delivery t SET token = gen_random_uuid(), attempts = attempts + 1,
            due_at = statement_timestamp() + make_interval(secs => %(lease)s)
        FROM unbroken WHERE t.id = unbroken.id RETURNING t.id)
    SELECT ARRAY(SELECT id FROM claimed),
        {others_due}"""
# Of a batch, the rows whose lease still holds. Locked in order: if one ran out, two workers may have parts of a line.
HELD = """
    SELECT id FROM events_delivery WHERE id = ANY(%s::bigint[]) AND token = ANY(%s::uuid[])
    ORDER BY id FOR NO KEY UPDATE"""
MARK_DELIVERED = f"""
    UPDATE events_delivery SET state = 'delivered', last_error = '', token = NULL, due_at = NULL,
        settled_at = statement_timestamp() WHERE id IN ({HELD})"""  # noqa: S608 - constants of the code
# what somebody else has locked is about to be theirs; two who wait for each other's rows would be a deadlock
GIVE_BACK = f"""
    UPDATE events_delivery SET token = NULL, due_at = statement_timestamp(), attempts = attempts - 1
    WHERE id IN ({HELD} SKIP LOCKED)"""  # noqa: S608 - as above
Line = tuple[str, str]


def claim_runs(classes: tuple[str, ...], limit: int, lease: int) -> list[int]:
    """Claim up to `limit` deliveries for `lease` seconds, what people wait for first; returns their ids, sorted.

    Bulk gets the room that is left, and always a little. Of each line it is the head and those that follow it.
    """
    people, bulk = classes
    ids, bulk_is_due = _claim(people, limit, lease, others=bulk)
    if bulk_is_due:
        more, _ = _claim(bulk, room_for_bulk(limit, len(ids)), lease)
        ids += more
    return sorted(ids)


def _claim(heads: str, limit: int, lease: int, others: str = "false") -> tuple[list[int], bool]:
    """The ids of what was claimed, and whether any of `others` is due."""
    with connection.cursor() as cursor:
        sql = CLAIM.format(heads=heads, others_due=any_due("events_delivery", others))
        cursor.execute(sql, {"limit": limit, "lease": lease})
        ids, is_due = cursor.fetchone()
    return ids, is_due


def line_of(delivery: Delivery) -> Line:
    """What the deliveries of one line have in common."""
    return delivery.receiver, delivery.aggregate


def rounds(batch: Sequence[Delivery]) -> list[list[Delivery]]:
    """`batch` in groups of one receiver, type and class, such that no line's order is lost if one follows the other."""
    groups: dict[tuple[int, str, str, bool], list[Delivery]] = defaultdict(list)
    latest: dict[Line, tuple[int, str, bool]] = {}
    for delivery in batch:
        number, *kind = latest.get(line_of(delivery), (0, delivery.event.type, delivery.bulk))
        if kind != [delivery.event.type, delivery.bulk]:
            number += 1
        latest[line_of(delivery)] = (number, delivery.event.type, delivery.bulk)
        groups[number, delivery.receiver, delivery.event.type, delivery.bulk].append(delivery)
    return [groups[key] for key in sorted(groups)]


def parts(batch: Sequence[Delivery], threads: int) -> Iterator[list[Delivery]]:
    """`batch` in a part for each of `threads`, each of one receiver: a quick one does not wait behind a slow one.

    A line is never divided.
    """
    size = ceil(len(batch) / threads)
    receivers: dict[str, dict[str, list[Delivery]]] = defaultdict(lambda: defaultdict(list))
    for delivery in batch:
        receivers[delivery.receiver][delivery.aggregate].append(delivery)
    for lines in receivers.values():
        part: list[Delivery] = []
        for line in lines.values():
            if part and len(part) + len(line) > size:
                yield part
                part = []
            part = part + line
        yield part


def mark_delivered(batch: Sequence[Delivery]) -> None:
    """Write that all of `batch` are delivered, in one statement. Raises LeaseLost if any was taken over."""
    if _change(MARK_DELIVERED, batch) != len(batch):
        raise LeaseLost("the lease ran out and another worker has the row")


def give_back(batch: Sequence[Delivery]) -> None:
    """Make deliveries due again that were not begun, as if they had not been claimed."""
    _change(GIVE_BACK, batch)


def _change(sql: str, batch: Sequence[Delivery]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, [[one.id for one in batch], [one.token for one in batch]])
        changed: int = cursor.rowcount
        return changed
