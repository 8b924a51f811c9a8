"""`manage.py compare`: the twelve patterns beside what one writes without them, both run for real.

`naive/NAME.py` is the naive version: short, fair code in the form that most introductions show. `NAME.py` is the
experiment, which runs it and the service's own code under the same conditions and counts; it has a `COMPARISON`.
"""
