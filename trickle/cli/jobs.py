"""`trickle jobs`: run the handlers of a program, look at queues, and take a hand."""

from __future__ import annotations

import importlib
import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trickle import logs
from trickle.catalog import jobs
from trickle.cli import output, service, target
from trickle.cli.options import AsJson, PostgresUrl, setting_option
from trickle.db.job_schema import SCHEMA
from trickle.errors import ConfigurationError, NotFound
from trickle.logs import event

if TYPE_CHECKING:
    from trickle.jobs.runner import JobRunner
    from trickle.supervisor.http import Board
    from trickle.supervisor.service_manager import ServiceManager

log = logging.getLogger(__name__)

jobs_app = typer.Typer(no_args_is_help=True, help="Run the jobs of queues, look at them, and take a hand.")

Schema = Annotated[str, typer.Option("--schema", help="Where the jobs are: a schema of create_job_schema.")]
Job = Annotated[int, typer.Argument(help="Id of the job.")]
_QUEUE_COLUMNS = (
    "queue",
    "ready",
    "waiting",
    "active",
    "completed",
    "cancelled",
    "failed",
    "oldest_ready_seconds",
)
_JOB_COLUMNS = ("id", "queue", "state", "attempt", "attempts", "created_on", "started_on", "completed_on", "error")
_SCHEDULE_COLUMNS = (
    "schedule_name",
    "cron",
    "time_zone",
    "name",
    "enabled",
    "next_on",
    "last_on",
    "last_job",
    "skipped",
    "problem",
)


@jobs_app.command("run")
def run(
    context: typer.Context,
    module: Annotated[str, typer.Argument(help="Module that registers handlers with `@trickle.job`: app.tasks")],
    postgres_url: PostgresUrl = None,
    schema: Schema = SCHEMA,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, help="Jobs at the same time.")] = 10,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Leased or acknowledged in one statement.")] = 100,
    drain_timeout: Annotated[str | None, setting_option("drain_timeout")] = None,
    metrics_host: Annotated[str | None, setting_option("metrics_host")] = None,
    metrics_port: Annotated[str | None, setting_option("metrics_port")] = None,
    log_format: Annotated[str | None, setting_option("log_format")] = None,
    log_level: Annotated[str | None, setting_option("log_level")] = None,
) -> None:
    """Do the jobs of the queues for which a module has handlers, until SIGTERM or Ctrl-C.

    The module is looked for in the working directory first. What runs may end; a second signal does not wait for it.
    """
    from trickle.jobs.metrics import JobMetrics
    from trickle.jobs.registry import REGISTRY
    from trickle.jobs.runner import JobRunner, RunnerOptions
    from trickle.supervisor.http import Board
    from trickle.supervisor.service_manager import ServiceManager

    flags = {
        "postgres_url": postgres_url,
        "drain_timeout": drain_timeout,
        "metrics_host": metrics_host,
        "metrics_port": metrics_port,
        "log_format": log_format,
        "log_level": log_level,
    }
    with service.as_service():
        settings, url = target.resolve_with_database(context, flags)
        logs.configure(settings.log_format, settings.log_level)
        _import(module)
        if not REGISTRY.handlers:
            raise ConfigurationError(
                f"module {module} registers no handler", hint="@trickle.job('queue') above a function"
            )
        board = Board()
        if settings.metrics_port:
            metrics = JobMetrics()
            REGISTRY.around(metrics)
            service.serve(board, metrics.registry, settings.metrics_host, settings.metrics_port)
        options = RunnerOptions(concurrency=concurrency, batch=batch, drain_seconds=settings.drain_timeout)
        event(log, logging.INFO, "runner started", queues=sorted(REGISTRY.handlers))
        manager = ServiceManager.of_this_process()
        JobRunner(url, REGISTRY, options, schema).run_until_signalled(lambda runner: _tell(runner, board, manager))
    event(log, logging.INFO, "runner stopped")


@jobs_app.command("status")
def status(
    context: typer.Context, postgres_url: PostgresUrl = None, schema: Schema = SCHEMA, as_json: AsJson = False
) -> None:
    """Every queue: how many jobs are in which state, and how long the first has waited."""
    with target.client(context, postgres_url) as client:
        found = jobs.queues(client.connection, schema)
    output.print_found(
        found, _QUEUE_COLUMNS, as_json, none="no jobs: SELECT pgtrickle.enqueue('queue', '{}') makes one"
    )


@jobs_app.command("list")
def list_jobs(
    context: typer.Context,
    queue: Annotated[str | None, typer.Argument(help="Of this queue alone.", show_default=False)] = None,
    state: Annotated[str | None, typer.Option("--state", help="In this state: " + ", ".join(jobs.STATES) + ".")] = None,
    most: Annotated[int, typer.Option("--most", min=1, help="The newest so many.")] = 100,
    postgres_url: PostgresUrl = None,
    schema: Schema = SCHEMA,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first."""
    if state is not None and state not in jobs.STATES:
        raise ConfigurationError(f"no such state: {state}", hint="one of " + ", ".join(jobs.STATES))
    with target.client(context, postgres_url) as client:
        found = jobs.listed(client.connection, schema, queue, state, most)
    output.print_found(found, _JOB_COLUMNS, as_json, none="no such jobs")


@jobs_app.command("show")
def show(
    context: typer.Context, job: Job, postgres_url: PostgresUrl = None, schema: Schema = SCHEMA, as_json: AsJson = False
) -> None:
    """Everything about one job, and which session has it in hand."""
    with target.client(context, postgres_url) as client:
        found = jobs.described(client.connection, schema, job)
    if found is None:
        raise NotFound(f"there is no job {job}", hint="it may have been removed after keep_for: trickle jobs list")
    if as_json:
        output.print_json(found)
    else:
        output.print_rows(({"": name, "value": value} for name, value in found.items()), ("", "value"))


@jobs_app.command("cancel")
def cancel(context: typer.Context, job: Job, postgres_url: PostgresUrl = None, schema: Schema = SCHEMA) -> None:
    """End a job that waits, or ask one that is active to stop."""
    with target.client(context, postgres_url) as client:
        if not jobs.cancel(client.connection, schema, job):
            raise NotFound(f"there is no job {job} that has not ended", hint=f"trickle jobs show {job}")


@jobs_app.command("retry")
def retry(context: typer.Context, job: Job, postgres_url: PostgresUrl = None, schema: Schema = SCHEMA) -> None:
    """Let a job that failed or was cancelled run again, with all its attempts."""
    with target.client(context, postgres_url) as client:
        if not jobs.retry(client.connection, schema, job):
            raise NotFound(f"there is no job {job} that failed or was cancelled", hint=f"trickle jobs show {job}")


@jobs_app.command("redrive")
def redrive(
    context: typer.Context,
    queue: Annotated[str, typer.Argument(help="Queue of dead letters.")],
    to: Annotated[str | None, typer.Option("--to", help="Queue they go to, in place of that they came from.")] = None,
    most: Annotated[int, typer.Option("--most", min=1, help="The oldest so many.")] = 1000,
    postgres_url: PostgresUrl = None,
    schema: Schema = SCHEMA,
) -> None:
    """Put dead letters back to where they came from, as new jobs with all their attempts."""
    with target.client(context, postgres_url) as client:
        output.note(f"{jobs.redrive(client.connection, schema, queue, to, most)} are tried again")


@jobs_app.command("schedules")
def schedules(
    context: typer.Context, postgres_url: PostgresUrl = None, schema: Schema = SCHEMA, as_json: AsJson = False
) -> None:
    """List what makes jobs by the clock, and when the next is due."""
    with target.client(context, postgres_url) as client:
        found = jobs.schedules(client.connection, schema)
    output.print_found(
        found, _SCHEDULE_COLUMNS, as_json, none="no schedules: SELECT pgtrickle.schedule_job(…) makes one"
    )


def _import(module: str) -> None:
    sys.path.insert(0, str(Path.cwd()))
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(f"{error.name}.")):
            raise
        raise ConfigurationError(f"there is no module {module}", hint="its name as in `import`: app.tasks") from error


def _tell(runner: JobRunner, board: Board, manager: ServiceManager) -> None:
    """Whoever looks at the health paths, and the service manager."""
    from trickle.supervisor.http import Health

    words = f"{runner.state}, {runner.active} jobs at work"
    board.publish(Health(state=runner.state, owned=len(runner.queues), running=runner.active, last_turn=words))
    if runner.state == "joined":
        manager.ready()
    elif runner.state == "draining":
        manager.stopping()
    manager.status(words)
    manager.turned(time.monotonic())
