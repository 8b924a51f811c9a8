"""One JSON object a line, with the id of the request that caused it and without its secrets, from both libraries."""

import io
import json
import logging
import sys

sys.stdout = io.TextIOWrapper(io.BytesIO(), write_through=True)

import structlog

from apps.core.context import bound
from config.logging import configure_logging

configure_logging("INFO")
with bound("request-12345678"):
    structlog.get_logger("own").info("order_taken", password="hunter2", customer="ada@example.com")
    logging.getLogger("library").warning("slow answer from %s", "elsewhere")
written = sys.stdout.buffer.getvalue().decode()  # type: ignore[attr-defined]
sys.stdout = sys.__stdout__
own, library = map(json.loads, written.splitlines())
assert own["request_id"] == library["request_id"] == "request-12345678"
assert own["event"] == "order_taken"
assert library["event"] == "slow answer from elsewhere"
assert "hunter2" not in written
assert "ada@" not in written
print("used")
