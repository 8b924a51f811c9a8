"""Calls to other machines that fail, hang or come back: retry, circuit breaker, deadline, bounded questions, Valkey.

May import the kernel. No HTTP server code, no settings: what a part needs comes through its constructor.
"""
