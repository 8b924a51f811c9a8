"""What the admin pages of every app share: lists of any length, actions that ask first, links, the overview.

May import the other rooms except `telemetry`. No model of a domain: an app's own pages stand in its admin.py.
"""
