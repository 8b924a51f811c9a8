"""The Celery application. The broker carries only wake-ups; what to do stands in PostgreSQL.

So a lost message costs one poll of the relay and a double one an empty look; the settings keep both rare and bounded.
"""

import os
import sys
from importlib import import_module
from typing import Any

from celery import Celery
from celery.signals import celeryd_init, setup_logging, task_postrun
from django.conf import settings
from django.db import close_old_connections
from django.utils.module_loading import autodiscover_modules

from config import streams
from config.broker import broker_url, tls_options, transport_options
from config.chosen import choose_settings
from config.product import SLUG

choose_settings("config.settings.production")
# a worker would load every route, view and admin page for checks that CI makes
os.environ.setdefault("CELERY_SKIP_CHECKS", "true")

app = Celery(SLUG)
env = settings.ENV
app.conf.update(
    broker_url=broker_url(env.celery_broker_url),
    # the status and result of jobs are in our own tables; a result backend could contradict them
    result_backend=None,
    task_ignore_result=True,
    # a message is gone only once its task has ended, so a killed worker's message comes back
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    # with the line above alone a task that kills its worker would come back for ever
    task_retry_on_worker_lost=True,
    # take one message at a time: a prefetched one would wait behind a long task
    worker_prefetch_multiplier=1,
    task_time_limit=env.celery_task_time_limit,
    task_soft_time_limit=env.celery_task_soft_time_limit,
    broker_transport_options=transport_options(
        env.celery_broker_url, env.celery_task_time_limit, settings.VALKEY_PREFIX
    ),
    # RabbitMQ: a peer that says nothing for this long is gone; Valkey has its own check among the options above
    broker_heartbeat=20,
    broker_use_ssl=tls_options(env.celery_broker_url),
    # a publish fails in about a second instead of hanging; the relay tries again by itself
    task_publish_retry=True,
    task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1},
    broker_connection_timeout=1,
    # never give up on a broker that is away, not even after a failover that leaves it read-only for a while
    broker_connection_max_retries=None,
    broker_connection_retry_on_startup=True,
    broker_channel_error_retry=True,
    # True would kill the running task on a lost connection, and never run it again
    worker_cancel_long_running_tasks_on_connection_loss=False,
    # a stop gives running tasks this long and then puts their messages back at once
    worker_soft_shutdown_timeout=5,
    # how many tasks share a pool of connections to the database; Celery 5.7.0 would close it twice for each task, which
    # then has to log in anew: https://github.com/celery/celery/issues/10554
    CELERY_DB_REUSE_MAX=sys.maxsize,
    worker_hijack_root_logger=False,
    # Python misses a signal that comes just before it sleeps until the sleep is over: Celery's default is five minutes
    beat_max_loop_interval=5,
    worker_send_task_events=False,
    worker_enable_remote_control=False,
    accept_content=["json"],
    task_serializer="json",
    timezone="UTC",
    task_default_queue="events",
)
app.Task.Request = "config.acks:Acknowledged"
# in every thread: the relay and /readyz reach the broker through this application
app.set_default()


def take_tasks() -> None:
    """Send each task to the queue, and let beat send it as often, as its app's tasks.py says."""
    from apps.core.queue.work_queue import TASKS  # noqa: PLC0415 - it has a model: the apps must be ready

    autodiscover_modules("tasks")
    app.conf.task_routes = {task.name: {"queue": task.queue} for task in TASKS.values()}
    app.conf.beat_schedule = {
        task.name: {"task": task.name, "schedule": task.every} for task in TASKS.values() if task.every
    }


@task_postrun.connect
def give_the_connection_back(**_: Any) -> None:
    """To the pool, as Django does after each request."""
    close_old_connections()


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Being connected is enough: Celery then leaves logging as config.logging has set it up."""


@celeryd_init.connect
def keep_our_form(**_: Any) -> None:
    """Write what a worker says in its signal handlers as lines of the log; Celery would bypass every stream."""
    if isinstance(sys.stderr, streams.LogLines):
        import_module("celery.apps.worker").safe_say = streams.say  # type: ignore[attr-defined]
