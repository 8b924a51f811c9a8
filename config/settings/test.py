"""Settings for the test-suite: real PostgreSQL and Valkey, mail kept in memory, cheap password hashes."""

from config.load import load_or_exit
from config.settings.base import *  # noqa: F403 - a settings module is its names
from config.settings.base import django_settings

ENV = load_or_exit("test")
globals().update(django_settings(ENV))

WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# `make check` lints the migrations with it; it is not part of the service
INSTALLED_APPS = [*INSTALLED_APPS, "django_migration_linter"]  # noqa: F405 - from base
