"""Clinics from the shell: made, suspended and resumed by who runs the server."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import click
from flask.cli import AppGroup

from api import db
from api.core import invitations, suspending
from api.db import Values
from api.errors import Invalid, Refusal
from api.import_commands import refuse_input

clinic_group = AppGroup("clinic", help="Clinics.")


@clinic_group.command("create")
@click.option("--name", required=True)
@click.option("--time-zone", required=True, help="IANA name, such as America/Denver.")
@click.option("--admin-email", required=True)
def create_clinic_command(name: str, time_zone: str, admin_email: str) -> None:
    """Make a clinic and print its administrator's one-time invitation (72 hours)."""
    clinic, token = _done(lambda: invitations.create_clinic(name, time_zone, admin_email))
    click.echo(f"Clinic {clinic['id']} is made. Invitation for {admin_email}, good once, 72 h:")
    click.echo(token)


def _why(command: Callable[..., Any]) -> Callable[..., Any]:
    """The clinic and the reason, as both commands ask for them."""
    told = f"For the trail, at most {suspending.MAX_REASON} characters; name no patient."
    command = click.option("--reason", required=True, help=told)(command)
    return click.argument("clinic_id", type=click.UUID)(command)


@clinic_group.command("suspend")
@_why
def suspend_clinic_command(clinic_id: UUID, reason: str) -> None:
    """Suspend a clinic: from the next request on it is read and not written.

    A dosing session in progress is recorded to its end, and what a refused form says of somebody's
    safety raises its alert. Exit status 2: nothing was written.
    """
    row: Values = _done(lambda: suspending.suspend_clinic(clinic_id, reason))
    click.echo(f"{row['name']} is suspended.")


@clinic_group.command("resume")
@_why
def resume_clinic_command(clinic_id: UUID, reason: str) -> None:
    """Let a suspended clinic be written again. Exit status 2: nothing was written."""
    row: Values = _done(lambda: suspending.resume_clinic(clinic_id, reason))
    click.echo(f"{row['name']} is resumed.")


def _done(deed: Callable[[], Any]) -> Any:
    """What the deed answers, in a transaction; a refusal is told and ends with status 2."""
    try:
        with db.transaction():
            return deed()
    except Invalid as reason:
        refuse_input(f"{pointer}: {detail}" for pointer, detail in reason.errors)
    except Refusal as reason:
        refuse_input([reason.detail])
