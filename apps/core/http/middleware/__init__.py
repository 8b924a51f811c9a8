"""Middleware, in the order of settings.MIDDLEWARE: the outermost first."""
