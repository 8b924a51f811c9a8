"""What a running process tells: metrics, health, heartbeats of workers, the state of its connection pool.

May import the kernel, `queue`, `resilience` and `http`. Counters stand where they count, not here.
"""
