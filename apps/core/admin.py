"""Django looks for an app's admin pages here; those of what has no domain stand in backoffice."""

from apps.core.backoffice import panels, site  # noqa: F401 - registers them
