"""Settings of tests and of the processes that they start: the service's own, and the tests' own app beside its apps."""

from config.settings.test import *  # noqa: F403 - a settings module is its names
from config.settings.test import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.things"]
