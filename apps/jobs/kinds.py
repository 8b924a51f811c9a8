"""What jobs offer to an app that has a kind of job: the run it gets, how it refuses, and how refused lines look."""

from apps.jobs.refusals import HEADER, Refusal, as_csv
from apps.jobs.run import Handler, JobError, Run

__all__ = ["HEADER", "Handler", "JobError", "Refusal", "Run", "as_csv"]
