"""What `make run`, `make test` and `make bench` start: PostgreSQL and Valkey from wheels, and the processes on top.

Only `prepare` imports Django here, so all of it works before there are settings, a database or a cache.
"""
