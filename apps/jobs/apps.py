from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "apps.jobs"

    def ready(self) -> None:
        from apps.core.work_queue import Wake, peek, watch
        from apps.jobs import stopping  # noqa: F401 - connects to Celery's signals

        watch(Wake("jobs", "jobs.run", "jobs", peek("jobs_job")))
