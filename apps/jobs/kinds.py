"""What jobs offer to an app that has a kind of job: the run it gets, how it refuses, and how refused lines look."""

from apps.jobs.refusals import COLUMNS, Refusal, as_csv
from apps.jobs.run import Handler, JobError, Run

__all__ = ["COLUMNS", "Handler", "JobError", "Refusal", "Run", "as_csv"]
