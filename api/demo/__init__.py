"""The demo clinic: 223 real survey answers under made-up names, and synthetic courses after."""

from collections.abc import Callable

from sqlalchemy import select

from api import db
from api.access.users import clinics
from api.demo import alerts, charts, consents, courses, followups, on_call, people, research, survey

PASSWORD = people.PASSWORD
who = people.who


def is_empty() -> bool:
    """Whether the database holds no clinic at all."""
    with db.transaction() as store:
        return store.row(select(clinics.c.id).limit(1)) is None


def load(say: Callable[[str], None]) -> None:
    """Load the demo clinic in one transaction; `say` is told what is being done.

    Everything is seeded, so that two loads on one day give the same clinic; dates count back
    from today (or from `FRESHTRAIL_CLOCK`).
    """
    say("Loading the demo clinic (once, about half a minute)...")
    with db.transaction():
        cast = people.load(say)
        survey.load(cast, say)
        consents.load(cast, say)
        courses.load(cast, say)
        charts.load(cast, say)
        followups.load(cast, say)
        alerts.load(cast, say)
        on_call.load(cast, say)
        research.load(cast, say)
    research.release(say)
    say("The demo clinic is loaded.")
