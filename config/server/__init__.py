"""The production web server, its health check, and what ties a process to the one that started it.

May import the settings. What `make run` starts beside it belongs in `config.stack`, which may import this.
"""
