"""The WSGI application that Granian serves; production settings unless DJANGO_SETTINGS_MODULE says otherwise."""

import gc

from django.core.wsgi import get_wsgi_application

from config import USUAL_THRESHOLDS
from config.chosen import choose_settings

choose_settings("config.settings.production")

application = get_wsgi_application()

# only now are there settings to be read
import config.urls  # noqa: E402, F401 - here, so that no request waits for its import
from apps.core.telemetry import pulse  # noqa: E402
from apps.users import signing  # noqa: E402, F401 - as above
from config import tracing  # noqa: E402

pulse.start("web")
tracing.ready()

# what is loaded by now stays: without this, a large body would take most of its time looking through it for garbage
gc.collect()
gc.freeze()
# requests leave garbage, which would be six MiB by the time that somebody looks
gc.set_threshold(*USUAL_THRESHOLDS)
