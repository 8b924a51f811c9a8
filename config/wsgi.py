"""The WSGI application that Granian serves; production settings unless DJANGO_SETTINGS_MODULE says otherwise."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

application = get_wsgi_application()

# only now are there settings to be read
from apps.core import pulse  # noqa: E402

pulse.start("web")
