"""Django looks for an app's admin pages here; those that belong to no domain stand in backoffice."""

from apps.core.backoffice import panels, site  # noqa: F401 - registers them
