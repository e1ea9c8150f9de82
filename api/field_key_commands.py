"""The commands of the field keys: change the key that seals, without anybody noticing."""

import sys
from time import time
from typing import Final

import click
from flask.cli import AppGroup

from api import field_keys
from api.config import settings
from api.core import resealing
from api.errors import Unsafe

SETTLED_S: Final = 60
"""Seconds after which nobody seals with a replaced key any more: processes look every five."""


@click.command("rotate-field")
def rotate_field_command() -> None:
    """Make a new field key that seals from now on; what was sealed before still opens.

    Copy the folder of keys to its safe place again, then run `keys reseal`.
    """
    try:
        kid = field_keys.rotate(settings().keys)
    except Unsafe as reason:
        raise click.ClickException(str(reason)) from None
    click.echo(f"The field key {kid} seals from now on. Copy the folder of keys to its safe place.")


@click.command("reseal")
def reseal_command() -> None:
    """Seal with the current field key what lies under those before it; may be stopped any time.

    Psychotherapy notes that lie under their clinic's key go under their chart's. What a version of
    before wrote in clear is sealed.

    Exit status 1: something is left, held by others; run it again.
    """
    ahead = sum(resealing.left().values())
    with click.progressbar(length=ahead, label="Sealing anew", file=sys.stderr) as bar:
        remaining = resealing.reseal(bar.update)
    if remaining:
        raise click.ClickException(f"{remaining} rows are left: run it again.")
    click.echo(f"{ahead} rows were sealed anew; all lies under {field_keys.current()} now.")


@click.command("retire-field")
@click.argument("kid")
def retire_field_command(kid: str) -> None:
    """Forget a field key under which nothing lies any more.

    A backup made before still needs it: keep the safe copy of the folder as long as the backup.
    """
    try:
        _refuse_in_use(kid)
        field_keys.retire(settings().keys, kid)
    except Unsafe as reason:
        raise click.ClickException(str(reason)) from None
    click.echo(f"The field key {kid} is gone. Backups made before still need their copy of it.")


def _refuse_in_use(kid: str) -> None:
    since = field_keys.read_keys(settings().keys).replaced_at.get(kid)
    if since is not None and time() - since < SETTLED_S:
        raise Unsafe(f"It sealed less than {SETTLED_S} seconds ago; somebody may still be at it.")
    lying = resealing.left(kid)
    if lying:
        told = ", ".join(f"{name} ({count})" for name, count in lying.items())
        raise Unsafe(
            f"Something lies under it still: {told}. Run `keys reseal` first; files of bulk exports"
            " (bulk_chunks) go by themselves, within days, or when their client deletes them."
        )


def add_to(group: AppGroup) -> None:
    """Let the group of keys have the commands."""
    for command in (rotate_field_command, reseal_command, retire_field_command):
        group.add_command(command)
