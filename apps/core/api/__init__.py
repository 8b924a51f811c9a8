"""The base of every API view: bodies and fields, pages, conditional requests, idempotency keys, the schema.

May import the kernel, `resilience`, `queue` and `http`. No route and no model of a domain.
"""
