"""What jobs offer to an app that has a kind of job: the run it gets, and how it refuses."""

from apps.jobs.run import Handler, JobError, Run

__all__ = ["Handler", "JobError", "Run"]
