"""What stands in each clinic that only who runs the server sees at one look."""

from sqlalchemy import select

from api import db
from api.access.policies import Role
from api.access.users import clinics
from api.core import staffing
from api.db import Values
from api.doctor.seen import OK, WARN, Seen


def suspended() -> Seen:
    """Which clinics are suspended, and since when."""
    standing = [row for row in _clinics() if row["suspended_at"] is not None]
    for row in standing:
        since = row["suspended_at"].strftime("%Y-%m-%d %H:%M UTC")
        yield WARN, f"{row['name']} is suspended since {since}: it is read and not written"
    if not standing:
        yield OK, "no clinic is suspended"


def officers() -> Seen:
    """Which clinics have nobody who watches over who looks at records."""
    lacking = [row["name"] for row in _clinics() if not _officers_of(row)]
    for name in lacking:
        told = "no privacy officer: nobody is told of emergency access, or reviews it"
        yield WARN, f"{name} has {told}"
    if not lacking:
        yield OK, "every clinic has a privacy officer"


def _clinics() -> list[Values]:
    c = clinics.c
    with db.transaction() as store:
        return store.rows(select(c.id, c.name, c.suspended_at).order_by(c.name, c.id))


def _officers_of(clinic: Values) -> list[str]:
    with db.within(clinic["id"]), db.transaction():
        return staffing.addresses(clinic["id"], Role.PRIVACY_OFFICER)
