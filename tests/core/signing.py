"""Signing in for tests: what is opened is kept, what is refused is looked at."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from api import db
from api.access import users as people
from api.access.policies import Role
from api.access.users import sign_ins
from api.core import sign_ins as signing
from api.errors import NotSignedIn
from tests.builders import PASSWORD, Person, Scene

ANOTHER = "another-snow-2027"


def opened(email: str, password: str = PASSWORD, **more: Any) -> db.Values:
    """A sign-in, kept."""
    with db.transaction():
        return signing.sign_in(email, password, **more)


def refreshed(token: str, key: str | None = None) -> db.Values:
    """A refresh, kept."""
    with db.transaction():
        return signing.refresh(token, key)


def refuses(run: Callable[[], Any], kind: type[Exception] = NotSignedIn) -> Any:
    """The refusal that the run meets."""
    with pytest.raises(kind) as caught, db.transaction():
        run()
    return caught.value


def in_two_clinics(scene: Scene) -> Person:
    """CT, who works in the other clinic as an administrator too."""
    with db.transaction() as store:
        account = people.find_account(store, scene["CT"].email)
        assert account is not None
        elsewhere = scene["XT"].clinic_id
        people.make_user(
            store, elsewhere, account["id"], Role.ADMINISTRATOR, display_name="Also There"
        )
    return scene["CT"]


def ended(ids: db.Values) -> bool:
    """Whether the sign-in was ended."""
    with db.transaction() as store:
        mine = select(sign_ins.c.revoked_at).where(sign_ins.c.id == ids["sign_in_id"])
        return store.row(mine) != {"revoked_at": None}


class asking:  # noqa: N801
    """Every statement that goes to the database meanwhile."""

    def __enter__(self) -> list[str]:
        self.statements: list[str] = []
        self.watcher = self.statements.append
        db.watchers.append(self.watcher)
        return self.statements

    def __exit__(self, *_error: Any) -> None:
        db.watchers.remove(self.watcher)
