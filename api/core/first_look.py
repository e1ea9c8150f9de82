"""What is asked of the accounts before anybody is served: no demo, and the keys that open them."""

from typing import Final
from uuid import UUID

from sqlalchemy import and_, select

from api.access.users import accounts, blind_email, clinics, email_of, users
from api.db import Store, within
from api.errors import Unavailable, Unsafe

SAMPLED: Final = 5
"""So many of the first accounts and of the last have their address opened."""


def demo_accounts_present(store: Store) -> bool:
    """Whether anybody could sign in to a demo clinic, whose passwords everybody knows."""
    demos = [row["id"] for row in store.rows(select(clinics.c.id).where(clinics.c.is_demo))]
    return any(_is_signed_in_to(store, clinic_id) for clinic_id in demos)


def refuse_foreign_keys(store: Store) -> None:
    """Raise `Unsafe` when the field keys at hand do not open what this database holds.

    An account's address must open, and be found by its blind index.
    """
    some = select(accounts.c.id, accounts.c.email, accounts.c.email_blind).limit(SAMPLED)
    ends = (some.order_by(accounts.c.id), some.order_by(accounts.c.id.desc()))
    for row in [row for end in ends for row in store.rows(end)]:
        try:
            fits = blind_email(email_of(row)) == row["email_blind"]
        except Unavailable:
            fits = False
        if not fits:
            raise Unsafe("The field keys are not those of this database: bring back their folder.")


def _is_signed_in_to(store: Store, clinic_id: UUID) -> bool:
    has_password = and_(users.c.account_id == accounts.c.id, accounts.c.password_hash.is_not(None))
    someone = select(users.c.id).join(accounts, has_password).where(users.c.clinic_id == clinic_id)
    with within(clinic_id):
        return store.row(someone.limit(1)) is not None
