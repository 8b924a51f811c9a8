"""The smallest app that core can be tried with; it is installed by tests/settings.py alone."""
