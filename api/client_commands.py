"""EHR clients from the shell: registered, listed and revoked in an administrator's name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from flask.cli import AppGroup

from api import db
from api.access.policies import Actor
from api.core import clients, operators
from api.errors import Invalid, Refusal
from api.paging import Page

BAD_INPUT = 2
"""The exit status for input that can't be taken; nothing was written."""
MOST = 100
client_group = AppGroup("client", help="EHR clients of a clinic.")


def _acting(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which a command knows in whose name it acts."""
    told = "Where the actor belongs to several clinics."
    command = click.option("--clinic-id", type=click.UUID, help=told)(command)
    return click.option("--actor", "email", required=True, help="An administrator's e-mail.")(
        command
    )


def _done(email: str, clinic_id: UUID | None, deed: Callable[[Actor], Any]) -> Any:
    """What the deed answers; a refusal is told and ends the command with status 2."""
    try:
        with db.transaction(), operators.acting_as(email, clinic_id) as actor:
            return deed(actor)
    except Invalid as refusal:
        for pointer, detail in refusal.errors:
            click.echo(f"{pointer}: {detail}", err=True)
    except Refusal as refusal:
        click.echo(refusal.detail, err=True)
    click.echo("Nothing was written.", err=True)
    raise SystemExit(BAD_INPUT)


@client_group.command("register")
@click.option("--name", required=True)
@click.option("--scope", "scopes", required=True, multiple=True, help="May be repeated.")
@click.option("--external-system", required=True, help="URI of the client's patient numbers.")
@click.option("--jwks", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--jwks-uri", help="Where the client publishes its keys.")
@_acting
def register_client_command(
    email: str, clinic_id: UUID | None, jwks: Path | None, scopes: tuple[str, ...], **values: Any
) -> None:
    """Register an EHR client by its public keys and print its client_id.

    Either --jwks FILE or --jwks-uri. Exit status 2: nothing was written.
    """
    full = {**values, "scopes": list(scopes), "jwks": _read(jwks)}
    made = _done(email, clinic_id, lambda actor: clients.register_client(actor, full))
    click.echo(made["client_id"])


def _read(path: Path | None) -> Any:
    if path is None:
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise click.BadParameter(f"{path.name} is not JSON.") from None
    if not isinstance(content, dict):
        raise click.BadParameter(f"{path.name} holds no JWKS.")
    return content


@client_group.command("list")
@_acting
def list_clients_command(email: str, clinic_id: UUID | None) -> None:
    """List a clinic's EHR clients: client_id, state and name."""
    listed = _done(email, clinic_id, lambda actor: clients.list_clients(actor, Page(MOST)))
    for one in listed.items:
        click.echo(f"{one['client_id']} {one['state']} {one['name']}")


@client_group.command("revoke")
@click.argument("client_id", type=click.UUID)
@_acting
def revoke_client_command(email: str, clinic_id: UUID | None, client_id: UUID) -> None:
    """Revoke an EHR client: it is refused from its next request on."""
    _done(email, clinic_id, lambda actor: clients.revoke_client(actor, client_id))
    click.echo(f"{client_id} is revoked.")
