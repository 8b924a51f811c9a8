"""Settings for a developer's machine: `make run` and manage.py's default."""

import os

from config.load import load_or_exit
from config.settings.base import *  # noqa: F403 - a settings module is its names
from config.settings.base import django_settings

ENV = load_or_exit("development")
globals().update(django_settings(ENV))

# the source tree's own static files, without collectstatic
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True

# from `make run`, whose processes the tour may stop and kill
TOUR_URL = os.environ.get("TOUR_URL", "")
