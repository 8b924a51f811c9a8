"""Settings, naive: a settings.py that reads each variable where it is needed and lets Python complain."""

import os
from datetime import date
from urllib.parse import urlsplit

SECRET_KEY = os.environ["SECRET_KEY"]
DEBUG = os.environ.get("DEBUG", "false") == "true"
ALLOWED_HOSTS = os.environ["ALLOWED_HOSTS"].split(",")

database = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": database.path.removeprefix("/"),
        "USER": database.username,
        "PASSWORD": database.password,
        "HOST": database.hostname,
        "PORT": database.port or 5432,
    }
}
DB_POOL_SIZE = int(os.environ.get("DB_POOL_SIZE", "5"))
REDIS_URL = os.environ["REDIS_URL"]
CELERY_TASK_TIME_LIMIT = int(os.environ.get("CELERY_TASK_TIME_LIMIT", "300"))

ACCESS_TOKEN_EXPIRE_MINUTES = int(os.environ.get("ACCESS_TOKEN_EXPIRE_MINUTES", "30"))
BREAKER_CALL_TIMEOUT = float(os.environ.get("BREAKER_CALL_TIMEOUT", "5"))
API_V1_SUNSET = date.fromisoformat(os.environ.get("API_V1_SUNSET", "2027-06-30"))
EMAIL_URL = os.environ["EMAIL_URL"]
LOG_LEVEL = os.environ.get("LOG_LEVEL", "INFO")
