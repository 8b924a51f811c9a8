"""The work queue: rows in PostgreSQL that several workers claim, and wake-ups on the broker.

May import the kernel (the modules of apps/core itself). No HTTP, no domain, no table of its own.
"""
