"""What jobs offer to a route of another app that starts one."""

from apps.jobs.api.parsers import FileParser
from apps.jobs.api.serializers import TaskAccepted
from apps.jobs.api.views import accepted

__all__ = ["FileParser", "TaskAccepted", "accepted"]
