"""What jobs keep about a person: their own jobs, which go with them, and what other people's jobs say of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection

from apps.core.personal import Holding, Person, Row, hold, walk
from apps.events.bus import publish_all
from apps.jobs.events import JobFinished
from apps.jobs.models import Chunk, Job, RefusedLines, Status

BATCH, PAGE, PIECES = 20, 100, 20
# nothing is left for anybody to read, or for a worker to go on with
LEAVE = """
    WITH own AS (
        SELECT id, due_at IS NOT NULL AS unfinished FROM jobs_job WHERE owner_id = %(user_id)s FOR NO KEY UPDATE)
    UPDATE jobs_job j SET left_by = %(user_id)s, owner_id = NULL, token = NULL, due_at = NULL, input = NULL,
        checkpoint = NULL, result = NULL, error = '', last_error = '',
        status = CASE WHEN own.unfinished THEN 'REVOKED' ELSE j.status END, finished_at = coalesce(finished_at, now())
    FROM own WHERE j.id = own.id RETURNING j.id, j.kind, own.unfinished"""
MENTIONS = """
    WITH page AS (SELECT id FROM jobs_job WHERE id > %(after)s ORDER BY id LIMIT %(limit)s),
    cleaned AS (
        UPDATE jobs_job j SET result = regexp_replace(result::text, %(escaped)s, %(pseudonym)s, 'gi')::jsonb,
            error = regexp_replace(error, %(written)s, %(pseudonym)s, 'gi'),
            last_error = regexp_replace(last_error, %(written)s, %(pseudonym)s, 'gi'), checkpoint = NULL,
            input = regexp_replace(input::text, %(escaped)s, %(pseudonym)s, 'gi')::jsonb
        FROM page WHERE j.id = page.id AND due_at IS NULL AND created_at <= %(gone_at)s
            AND concat_ws(' ', result::text, error, last_error, input::text, checkpoint::text) ~* %(escaped)s)
    SELECT id FROM page ORDER BY id DESC LIMIT 1"""
# an address may begin in one piece of a file and end in the next; the file of a job that ended can only be run again
FILES = """
    WITH named AS (
        SELECT DISTINCT c.job_id FROM jobs_chunk c JOIN jobs_job j ON j.id = c.job_id
        WHERE c.id BETWEEN %(first)s AND %(last)s AND j.due_at IS NULL AND j.created_at <= %(gone_at)s
            AND encode(c.data || coalesce(
                (SELECT substring(n.data FROM 1 FOR 300) FROM jobs_chunk n
                 WHERE n.job_id = c.job_id AND n.number = c.number + 1), ''), 'escape') ~* %(escaped)s),
    gone AS (DELETE FROM jobs_chunk WHERE job_id IN (SELECT job_id FROM named))
    UPDATE jobs_job SET input = NULL, checkpoint = NULL WHERE id IN (SELECT job_id FROM named)"""
REFUSED = """
    UPDATE jobs_refusedlines r SET data = convert_to(
        regexp_replace(convert_from(data, 'UTF8'), %(written)s, %(pseudonym)s, 'gi'), 'UTF8')
    FROM jobs_job j WHERE r.id BETWEEN %(first)s AND %(last)s AND j.id = r.job_id AND j.created_at <= %(gone_at)s
        AND encode(data, 'escape') ~* %(escaped)s"""


def _run(sql: str, person: Person, **more: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, person.values | more)
        return cursor.fetchall() if cursor.description else []


def leave_jobs(person: Person) -> None:
    """Stop their jobs and empty them, in the transaction of their deletion."""
    left = _run(LEAVE, person)
    publish_all([JobFinished(str(key), kind, Status.REVOKED) for key, kind, unfinished in left if unfinished])


def delete_jobs(person: Person, after: str) -> str | None:
    """Delete the next of their jobs, with files and refused lines."""
    ids = list(Job.objects.filter(left_by=person.user_id).values_list("id", flat=True)[:BATCH])
    Job.objects.filter(id__in=ids).only("id").delete()
    return "more" if len(ids) == BATCH else None


def erase_mentions(person: Person, after: str) -> str | None:
    """Erase their address in what other people's ended jobs were given and made."""
    last = _run(MENTIONS, person, after=after or "00000000-0000-0000-0000-000000000000", limit=PAGE)
    return str(last[0][0]) if last else None


def erase_files(person: Person, after: str) -> str | None:
    """Delete the files of other people's ended jobs that have their address in them.

    Only if they have shown that it is theirs: others must not lose a file because somebody registers an address in it.
    """
    if not person.verified:
        return None
    return walk(Chunk, after, PIECES, lambda first, last: _run(FILES, person, first=first, last=last))


def erase_refused(person: Person, after: str) -> str | None:
    """Erase their address in lines that jobs refused."""
    return walk(RefusedLines, after, PIECES, lambda first, last: _run(REFUSED, person, first=first, last=last))


def tell_jobs(person: Person) -> Iterator[Row]:
    """Their jobs and what came of them, but for exports like this one."""
    jobs = Job.objects.filter(owner_id=person.user_id, private=False).order_by("-created_at")
    names = ("id", "kind", "status", "created_at", "finished_at", "input", "result", "error")
    for key in list(jobs.values_list("id", flat=True)[:PAGE]):
        yield from Job.objects.filter(id=key).values(*names)


hold(Holding("jobs", tell=tell_jobs, at_once=leave_jobs, step=delete_jobs))
hold(Holding("job_mentions", step=erase_mentions))
hold(Holding("job_files", step=erase_files))
hold(Holding("refused_lines", step=erase_refused))
