#!/usr/bin/env python
"""Django's command line; development settings unless DJANGO_SETTINGS_MODULE says otherwise."""

import os
import sys

from django.core.management import execute_from_command_line

from config.chosen import choose_settings

if __name__ == "__main__":
    choose_settings("config.settings.development")
    if sys.argv[1:2] != ["relay"]:
        # stdout belongs to what a command prints; only a service writes its log there
        os.environ.setdefault("LOG_STREAM", "stderr")
    execute_from_command_line(sys.argv)
