"""Django settings shared by every profile; values that differ by deployment come from `config.env`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import environ

from config.env import ROOT, Settings
from config.logging import configure_logging
from config.metrics import configure_metrics
from config.product import NAME, SLUG
from config.settings.backing_services import cache, database

MOST_WAITING_THREADS = 8


def django_settings(env: Settings) -> dict[str, Any]:
    """Django's settings for `env`, as the names that a settings module defines."""
    human, kept = env.profile == "development", env.profile != "test"
    configure_logging(env.log_level, human=human, keep_loggers=kept)
    configure_metrics(env)
    return {
        "ENV": env,
        "SECRET_KEY": env.secret_key,
        "SECRET_KEY_FALLBACKS": list(env.secret_key_fallbacks),
        "DEBUG": env.debug,
        "ALLOWED_HOSTS": list(env.allowed_hosts),
        "MIDDLEWARE": MIDDLEWARE if env.cors_allowed_origins else [name for name in MIDDLEWARE if name != CORS],
        "CORS_ALLOWED_ORIGINS": list(env.cors_allowed_origins),
        "CSRF_TRUSTED_ORIGINS": list(env.csrf_trusted_origins),
        "DATABASES": {"default": database(env)},
        "CACHES": {"default": cache(env)},
        **environ.Env.email_url_config(env.email_url),
        "DEFAULT_FROM_EMAIL": env.email_from,
        "EMAIL_TIMEOUT": 10,
        "TIME_ZONE": "UTC",
        **from_env(env),
        "SPECTACULAR_SETTINGS": SPECTACULAR_SETTINGS | {"TITLE": env.api_title, "VERSION": env.api_version},
    }


def from_env(env: Settings) -> dict[str, Any]:
    """Settings of our own, for code that Django itself constructs and that cannot get them through a constructor."""
    return {
        "VALKEY_URL": env.redis_url,
        "METRICS_ADDRESS": (env.metrics_host, env.metrics_port),
        "HEARTBEAT_FILE": env.state_dir / f"heartbeat-{env.metrics_port}" if env.metrics_port else None,
        "TRUSTED_PROXY_COUNT": env.trusted_proxy_count,
        "BODY_LIMIT": env.body_limit,
        "PROFILE": env.profile,
        "TOUR_STATE": env.state_dir,
        "TOUR_DIRECTORY": (env.external_api_url, env.external_api_key),
        "ADMIN_LOG_RETENTION_DAYS": env.admin_log_retention_days,
        # each may hold a connection while it waits for another machine, and one is for the rest of the process
        "WAITING_THREADS": max(1, min(MOST_WAITING_THREADS, env.db_pool_size - 1)),
        "ACCESS_TOKEN_EXPIRE_MINUTES": env.access_token_expire_minutes,
    }


# filled in by django_settings()
VALKEY_URL = ""
METRICS_ADDRESS = ("", 0)
HEARTBEAT_FILE: Path | None = None
TRUSTED_PROXY_COUNT = 0
BODY_LIMIT = 0
PROFILE = ""
# the service's own address; without one the tour shows pages and no experiments
TOUR_URL = ""
TOUR_STATE = Path()
TOUR_DIRECTORY = ("", "")
ADMIN_LOG_RETENTION_DAYS = 0
WAITING_THREADS = 1
ACCESS_TOKEN_EXPIRE_MINUTES = 0

INSTALLED_APPS = [
    # first: its createsuperuser and changepassword replace Django's, which do not know the users' rules
    "apps.users",
    # the admin modules are loaded with the URLs: what serves no page does without them
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "corsheaders",
    "apps.core",
    "apps.events",
    "apps.profiles",
    "apps.webhooks",
    "apps.jobs",
    "apps.tour",
]

CORS = "corsheaders.middleware.CorsMiddleware"
MIDDLEWARE = [
    "apps.core.http.middleware.request_log.RequestLogMiddleware",
    "apps.core.http.middleware.request_body.RequestBodyMiddleware",
    "config.middleware.version",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "apps.core.http.middleware.content_security.ContentSecurityMiddleware",
    CORS,
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # before the check of the host, whose refusals carry its headers too
    "config.middleware.rate_limit",
    "apps.core.http.middleware.common.CommonMiddleware",
    "apps.core.http.middleware.admin_only.SessionMiddleware",
    "apps.core.http.middleware.admin_only.CsrfViewMiddleware",
    "apps.core.http.middleware.admin_only.AuthenticationMiddleware",
    "apps.core.http.middleware.admin_only.MessageMiddleware",
]

PRODUCT_NAME, PRODUCT_SLUG = NAME, SLUG
# before every key of ours in Valkey, which other services may use too
VALKEY_PREFIX = f"{SLUG}:"

# called once every app is ready; wires handlers to the bus
COMPOSITION_ROOT = "config.container.compose"
# what `manage.py compare` runs
COMPARISONS = "config.compare.run"

SILENCED_SYSTEM_CHECKS = [
    "auth.E003",  # e-mails are unique over lower(email), a constraint that this check does not see
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
AUTH_USER_MODEL = "users.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
FORMAT_MODULE_PATH = "apps.core.formats"
APPEND_SLASH = False
# config.logging has configured structlog and the standard library already
LOGGING_CONFIG = None
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

BASE_DIR = ROOT
# the tour's pages
DOCS = ROOT / "docs"
STATIC_URL = "/static/"
STATIC_ROOT = ROOT / "static"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 60 * 60
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
# no inline script, no inline style; Swagger UI's style sheet has its icons in data: addresses
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# browsers of other origins, if CORS_ALLOWED_ORIGINS names them: bearer tokens, no cookies
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_HEADERS = [
    *("accept", "authorization", "content-type", "idempotency-key", "if-match", "if-none-match"),
    *("traceparent", "x-api-version", "x-request-id"),
]
CORS_EXPOSE_HEADERS = [
    *("ETag", "Link", "Location", "Retry-After", "Idempotency-Replayed", "RateLimit", "RateLimit-Policy"),
    *("X-API-Version", "X-Request-ID", "Deprecation", "Sunset"),
]

# each is a module of this name in apps/users/api that says what users look like in it
VERSIONS = ["v1", "v2"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.users.api.authentication.ActiveUserAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["apps.core.api.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["apps.core.http.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "apps.core.http.renderers.JSONOnly",
    "DEFAULT_VERSIONING_CLASS": "apps.core.http.versioning.NamespaceOrHeaderVersioning",
    "DEFAULT_VERSION": "v1",
    "ALLOWED_VERSIONS": VERSIONS,
    "DEFAULT_SCHEMA_CLASS": "apps.core.api.schema.ProblemSchema",
    "EXCEPTION_HANDLER": "apps.core.http.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "DEFAULT_GENERATOR_CLASS": "apps.core.api.schema.EveryVersion",
    "OAS_VERSION": "3.1.0",
    "DESCRIPTION": (
        "Users, profiles, background jobs and events under twelve architecture patterns. The same routes without a"
        " version, /api/users and so on, choose by the header X-API-Version: v1 (the default) or v2."
    ),
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": r"/api/v[0-9]+",
    "SERVE_URLCONF": "config.urls",
    "ENUM_NAME_OVERRIDES": {
        "JobStatus": "apps.jobs.models.Status",
        "DeliveryStatus": "apps.core.queue.work_queue.DeliveryState",  # of a webhook
    },
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "COMPONENT_SPLIT_REQUEST": True,
    # the bodies of PATCH are serializers of their own, in which nothing is required
    "COMPONENT_SPLIT_PATCH": False,
    # keys are integers in bodies and in paths
    "PATH_CONVERTER_OVERRIDES": {
        "key": {"type": "integer", "format": "int64", "minimum": 1, "maximum": 10**18 - 1},
        "any_case_uuid": {"type": "string", "format": "uuid"},
    },
    "APPEND_COMPONENTS": {
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.core.api.schema.describe_every_answer",
        "apps.events.api.components.describe_types",
    ],
}
