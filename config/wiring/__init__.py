"""Who answers which message: a module for each part, each with `wire`.

`Container.wire` finds them. A new app gets a module of its own, and what is taken out takes its module along.
"""
