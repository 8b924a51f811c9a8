from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "apps.jobs"

    def ready(self) -> None:
        from apps.core.work_queue import Wake, peek, watch

        watch(Wake("jobs", "jobs.run", "jobs", peek("jobs_job")))
