"""Commands of who runs the server: the doctor, backups, figures."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup

from api import backups, doctor
from api.config import settings
from api.errors import Unsafe

MARKS = {doctor.OK: "ok  ", doctor.WARN: "warn", doctor.RED: "RED "}
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

CHART_KEYS = click.option(
    "--chart-keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A copy of charts' keys; default the newest in CHART_KEY_DIR.",
)


@click.command("doctor")
@click.argument("names", nargs=-1, type=click.Choice(list(doctor.LOOKS)))
def doctor_command(names: tuple[str, ...]) -> None:
    """Look at the server from the inside: a line for each thing, exit status 1 when any is red.

    With NAMES, such as backup "on call", only at these.
    """
    red = 0
    for finding in doctor.examine(*names):
        click.echo(f"{MARKS[finding.level]}  {finding.name:8}  {finding.words}")
        red += finding.level == doctor.RED
    if red:
        raise SystemExit(1)


backup_group = AppGroup("backup", help="Backups of the database; keys are kept apart.")


@backup_group.command("make")
@click.option("--to", type=click.Path(path_type=Path), help="A folder; default BACKUP_DIR.")
@click.option("--check", is_flag=True, help="Check it at once.")
def make_backup_command(to: Path | None, check: bool) -> None:
    """Make a backup while the clinic works, in a folder named by the time."""

    def work() -> None:
        folder = backups.make(to or settings().backups, click.echo)
        if check:
            backups.check(folder, click.echo)
        click.echo(f"Done: {folder}")

    _told(work)


@backup_group.command("check")
@click.argument("folder", type=FOLDER)
@CHART_KEYS
def check_backup_command(folder: Path, chart_keys: Path | None) -> None:
    """Check that a backup is whole and can be read with the keys at hand."""

    def work() -> None:
        backups.check(folder, click.echo, chart_keys)
        click.echo("The backup is whole.")

    _told(work)


@click.command("restore")
@click.argument("folder", type=FOLDER)
@CHART_KEYS
def restore_command(folder: Path, chart_keys: Path | None) -> None:
    """Restore a backup into the empty database that the settings name, and check it there."""

    def work() -> None:
        backups.restore(folder, click.echo, chart_keys)
        click.echo("Restored. Run `flask --app wsgi migrate` before you serve.")

    _told(work)


def _told(work: Callable[[], None]) -> None:
    try:
        work()
    except (backups.BadBackup, Unsafe) as reason:
        raise click.ClickException(str(reason)) from None


@click.command("metrics")
def metrics_command() -> None:
    """Answer Prometheus on METRICS_PORT, on the loopback; `serve` runs it where the port is set."""
    from api import measuring

    if not settings().metrics_port:
        raise click.ClickException("METRICS_PORT is not set.")
    measuring.serve()
    click.echo(f"Figures on http://{measuring.LOOPBACK}:{settings().metrics_port}/metrics")
    threading.Event().wait()


def forget_figures() -> None:
    """A new server counts from nothing."""
    shutil.rmtree(settings().metrics, ignore_errors=True)


def register(app: Flask) -> None:
    """Teach the shell these commands."""
    for command in (doctor_command, restore_command, metrics_command):
        app.cli.add_command(command)
    app.cli.add_command(backup_group)
