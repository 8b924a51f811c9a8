"""Settings for production: the default of wsgi, `make serve` and the image."""

from config.load import load_or_exit
from config.settings.base import *  # noqa: F403 - a settings module is its names
from config.settings.base import django_settings

ENV = load_or_exit("production")
globals().update(django_settings(ENV))

# TLS ends at the proxy in front, which sets this header
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
SILENCED_SYSTEM_CHECKS = [
    *SILENCED_SYSTEM_CHECKS,  # noqa: F405 - from base
    "security.W003",  # CSRF protection is there, as a subclass that works only where forms are: the API has no cookies
    "security.W008",  # the redirect to https belongs to the proxy that ends TLS
]
