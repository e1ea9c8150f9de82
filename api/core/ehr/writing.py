"""What every write of an EHR begins with: the gate, its own turn, and a user to write as."""

from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex
from uuid import UUID

from sqlalchemy import select

from api import clock, vault
from api.access.policies import Actor, Role
from api.access.users import accounts, make_user, users
from api.core import gate
from api.core.clients import ehr_clients
from api.db import new_id, store

READ, CREATE, UPDATE = "fhir:read", "fhir:create", "fhir:update"


def enter_to_write(actor: Actor, action: str) -> None:
    """The client is let in to write, one request of it at a time, as a user of its own.

    That its writes follow each other is what makes "create unless it is there" hold at any speed.
    """
    gate.admit(actor, action)
    if "writes" not in actor.extras:
        store().hold(ehr_clients, {"clinic_id": actor.clinic_id, "id": actor.user_id})
        _user_of(actor)
        actor.extras["writes"] = True


def _user_of(client: Actor) -> None:
    """The user of role `system` that records name as their writer; made at the first write.

    Nobody signs in as one: its account has neither an address that could be typed nor a password.
    """
    u = users.c
    mine = (u.clinic_id == client.clinic_id, u.id == client.user_id)
    row = store().row(select(users).where(*mine))
    name = client.rights.display_name
    if row is None:
        account_id = _account()
        keys = {"id": client.user_id, "display_name": name}
        make_user(store(), client.clinic_id, account_id, Role.SYSTEM, **keys)
    elif row["display_name"] != name:
        store().change(users, row, {"display_name": name})


def _account() -> UUID:
    account_id = new_id()
    values = {
        "id": account_id,
        "created_at": clock.now(),
        "email_blind": token_hex(32),
        "email": vault.seal_json("", "accounts.email", account_id),
        "password_hash": None,
    }
    store().execute(accounts.insert().values(**values))
    return account_id


@contextmanager
def apart() -> Iterator[None]:
    """A part of the transaction that is undone alone when it is refused."""
    with store().connection.begin_nested():
        yield
