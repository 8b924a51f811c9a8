"""Settings of the process that compares: from its environment alone, which names throwaway services."""

from config.load import load_or_exit
from config.settings.base import *  # noqa: F403 - a settings module is its names
from config.settings.base import django_settings

ENV = load_or_exit("test")
settings = django_settings(ENV)
# a pool has threads, which a fork does not take along
del settings["DATABASES"]["default"]["OPTIONS"]["pool"]
globals().update(settings)

# there is no folder of collected files, and no need for one
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
