"""Commands for signing keys: which there are, a further one, one sooner, one away."""

from collections.abc import Callable
from typing import Any

import click
from flask.cli import AppGroup

from api.access import keys
from api.errors import Unsafe

ROTATE_EVERY_DAYS = 90
OF_ANY_NAME = {"ignore_unknown_options": True}
"""One name in 64 begins with a dash, and is no option."""


@click.command("list")
def list_keys_command() -> None:
    """List the signing keys: name, state, since when it is published."""
    for key in _told(keys.signing_keys):
        click.echo(f"{key.kid}  {key.state:8}  {key.published_at:%Y-%m-%dT%H:%M:%SZ}")


@click.command("add")
def add_key_command() -> None:
    """Add a signing key: published at once, it signs after a day."""
    click.echo(f"{_told(keys.add_next)} is next; it signs in 24 hours.")


@click.command("promote", context_settings=OF_ANY_NAME)
@click.argument("kid")
def promote_key_command(kid: str) -> None:
    """Let the next key sign now; who keeps an old copy of the JWKS will not know it at first."""
    _told(lambda: keys.promote(kid))
    click.echo(f"{kid} is current.")


@click.command("retire", context_settings=OF_ANY_NAME)
@click.argument("kid")
def retire_key_command(kid: str) -> None:
    """Take away a key that is retiring, when no token of it can still be good."""
    _told(lambda: keys.retire(kid))
    click.echo(f"{kid} is gone.")


@click.command("revoke", context_settings=OF_ANY_NAME)
@click.argument("kid")
def revoke_key_command(kid: str) -> None:
    """Take a key away now: every token it signed is refused from the next request on."""
    made = _told(lambda: keys.revoke(kid))
    click.echo(f"{kid} is gone, and its tokens with it.")
    if made:
        click.echo(f"{made} was made and is current.")


@click.command("rotate")
def rotate_keys_command() -> None:
    """Do what is due: retire what may go, and add a key when the current one is 90 days old.

    To be run every day or so, by a timer; says what it did, or nothing.
    """
    found, did = _told(keys.signing_keys), False
    for key in found:
        did = _retired(key) or did
    if _is_old(found):
        click.echo(f"{_told(keys.add_next)} is next; it signs in 24 hours.")
    elif not did:
        click.echo("Nothing is due.")


def _retired(key: keys.SigningKey) -> bool:
    if key.state != keys.RETIRING:
        return False
    try:
        keys.retire(key.kid)
    except Unsafe:
        return False
    click.echo(f"{key.kid} is gone.")
    return True


def _is_old(found: list[keys.SigningKey]) -> bool:
    """Whether the key that signs has done so for long, and none comes after it."""
    newest = found[-1]
    return newest.state == keys.CURRENT and keys.age_of(newest).days >= ROTATE_EVERY_DAYS


def _told(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Unsafe as reason:
        raise click.ClickException(str(reason)) from None


def register(group: AppGroup) -> None:
    """Teach the group of keys these commands."""
    for command in (
        list_keys_command,
        add_key_command,
        promote_key_command,
        retire_key_command,
        revoke_key_command,
        rotate_keys_command,
    ):
        group.add_command(command)
