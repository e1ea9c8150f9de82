"""Passwords that are kept as well as they can be by now."""

from uuid import UUID

from api.access.hashing import hash_again, is_weak
from api.access.users import accounts
from api.db import leave_store, transaction
from api.errors import Unavailable


def strengthen(account_id: UUID, password: str, hashed: str | None) -> None:
    """Hash a password that was right anew, where its hash was made with less work than is due.

    In a transaction of its own; a password that was changed meanwhile stays as it was changed. What
    can't be hashed now is hashed at another sign-in.
    """
    if hashed is None or not is_weak(hashed):
        return
    leave_store()
    try:
        stronger = hash_again(password)
    except Unavailable:
        return  # whoever knows the password is let in all the same
    same = accounts.update().where(accounts.c.id == account_id, accounts.c.password_hash == hashed)
    with transaction() as apart:
        apart.execute(same.values(password_hash=stronger))
