"""Who is on call in the demo, so that its alerts escalate as those of a clinic do."""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select

from api import clock, db
from api.access.users import users
from api.core.on_call import on_call, on_call_shifts
from api.demo.people import Cast

LASTS = timedelta(days=365)
"""A shift that nobody could work, so that the demo is in order on whatever day it is opened."""
CHANNEL = "pager +1 303 555 0101 (demo: nobody carries it)"
ON_CALL, BACKUP, DIRECTOR = (
    "clinician@demo.example",
    "nurse@demo.example",
    "prescriber@demo.example",
)


def load(cast: Cast, say: Callable[[str], None]) -> None:
    """A shift from now on in both clinics, and those behind it in the first."""
    staff = cast.staff
    _set(cast.clinic_id, staff[ON_CALL], staff[BACKUP], staff[DIRECTOR])
    u = users.c
    elsewhere = select(u.clinic_id, u.id).where(
        u.clinic_id != cast.clinic_id, u.role == "clinician"
    )
    for row in db.store().rows(elsewhere.limit(1)):
        _set(row["clinic_id"], row["id"], None, None)
    say("  somebody on call from today on, for a year")


def _set(clinic_id: object, on_shift: object, backup: object, director: object) -> None:
    behind = {"backup_clinician_id": backup, "director_clinician_id": director}
    db.store().add(on_call, {"clinic_id": clinic_id, "channel": CHANNEL} | behind)
    now = clock.now()
    shift = {"clinic_id": clinic_id, "clinician_id": on_shift, "from_at": now}
    db.store().execute(on_call_shifts.insert().values(**shift, to_at=now + LASTS))
