"""The floor: a bare WSGI function that does the job with only the drivers, with no care for later changes.

psycopg on one kept connection with prepared statements, orjson, PyJWT with its answers remembered, one round trip to
Valkey, one line in the log.
"""

from __future__ import annotations

import os
import re
import sys
import time
import uuid
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import jwt
import orjson
import psycopg
import redis
from psycopg.rows import dict_row

BASE = "/api/v1/users"
SHOWN = "id, email, name, is_active, created_at"
ACTIVE = "EXISTS (SELECT FROM bench_user c WHERE c.id = %(caller)s AND c.is_active AND (c.is_staff OR c.id = %(id)s))"
ONE = f"SELECT {SHOWN} FROM bench_user WHERE id = %(id)s AND {ACTIVE}"
PAGE = f"""
    SELECT {SHOWN} FROM bench_user WHERE EXISTS (
        SELECT FROM bench_user c WHERE c.id = %(caller)s AND c.is_active AND c.is_staff)
    ORDER BY id DESC LIMIT %(limit)s"""
REGISTER = f"""
    WITH made AS (INSERT INTO bench_user (email, name) VALUES (%(email)s, %(name)s) RETURNING {SHOWN}),
    told AS (INSERT INTO bench_outbox (type, data)
        SELECT 'user.created', jsonb_build_object('user_id', id, 'email', email, 'name', name) FROM made)
    SELECT {SHOWN} FROM made"""
COUNT = "local n = redis.call('INCR', KEYS[1]) if n == 1 then redis.call('EXPIRE', KEYS[1], 60) end return n"
LIMIT_PER_MINUTE = 10**9
LOOKS_LIKE_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
STATUS = {200: "200 OK", 201: "201 Created", 400: "400 Bad Request", 401: "401 Unauthorized", 404: "404 Not Found"}
STATUS |= {409: "409 Conflict", 429: "429 Too Many Requests"}

Answer = tuple[int, Any]

_database = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, row_factory=dict_row, prepare_threshold=0)
_valkey = redis.Redis.from_url(os.environ["REDIS_URL"], single_connection_client=True)
_count = str(_valkey.script_load(COUNT))
_tokens: dict[str, dict[str, Any]] = {}


def _caller(environ: WSGIEnvironment) -> int | None:
    token = environ.get("HTTP_AUTHORIZATION", "")[7:]
    claims = _tokens.get(token)
    if claims is None:
        try:
            claims = _tokens[token] = jwt.decode(token, os.environ["SECRET_KEY"], algorithms=["HS256"])
        except jwt.InvalidTokenError:
            return None
    return int(claims["sub"]) if claims["exp"] > time.time() else None


def _read(environ: WSGIEnvironment, caller: int) -> Answer:
    path = environ["PATH_INFO"]
    if path != BASE:
        row = _database.execute(ONE, {"id": int(path[len(BASE) + 1 :]), "caller": caller}).fetchone()
        return (200, row) if row else (404, {"code": "not_found"})
    limit = min(int(environ["QUERY_STRING"].partition("limit=")[2] or 20), 100)
    rows = _database.execute(PAGE, {"caller": caller, "limit": limit + 1}).fetchall()
    return 200, {"results": rows[:limit], "next": rows[limit - 1]["id"] if len(rows) > limit else None}


def _register(environ: WSGIEnvironment) -> Answer:
    given = orjson.loads(environ["wsgi.input"].read())
    if not LOOKS_LIKE_EMAIL.fullmatch(given.get("email", "")) or not 0 < len(given.get("name", "")) <= 150:
        return 400, {"code": "invalid"}
    try:
        return 201, _database.execute(REGISTER, {"email": given["email"], "name": given["name"]}).fetchone()
    except psycopg.errors.UniqueViolation:
        return 409, {"code": "email_taken"}


def _handle(environ: WSGIEnvironment) -> Answer:
    caller = _caller(environ)
    if caller is None:
        return 401, {"code": "not_authenticated"}
    count: Any = _valkey.evalsha(_count, 1, f"floor:{caller}:{int(time.time() // 60)}")
    if count > LIMIT_PER_MINUTE:
        return 429, {"code": "rate_limited"}
    return _register(environ) if environ["REQUEST_METHOD"] == "POST" else _read(environ, caller)


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The WSGI application."""
    start, request_id = time.perf_counter(), uuid.uuid4().hex
    status, data = _handle(environ)
    content = orjson.dumps(data)
    seconds = time.perf_counter() - start
    line = {"event": "request_finished", "request_id": request_id, "status": status, "ms": round(seconds * 1000, 2)}
    line |= {"method": environ["REQUEST_METHOD"], "path": environ["PATH_INFO"], "ip": environ["REMOTE_ADDR"]}
    sys.stderr.buffer.write(orjson.dumps(line) + b"\n")
    sys.stderr.buffer.flush()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    headers += [("X-Request-ID", request_id), ("X-Process-Time", f"{seconds:.6f}")]
    start_response(STATUS[status], headers)
    return [content]
