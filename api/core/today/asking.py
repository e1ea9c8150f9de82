"""What is asked of a patient and what of theirs is quoted: seldom, and reckoned from their own day.

Reading it again changes nothing: which question stands when follows from the date and the entries.
"""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import and_, func, or_, select

from api import clock
from api.access.policies import Actor
from api.access.users import users
from api.core.accounts import DEFAULTS
from api.core.integration.moments import day_of
from api.core.integration.practices import name_of
from api.core.integration.tables import moments
from api.core.integration.trail import local_day
from api.core.today import quiet
from api.core.today.day import Day, Walk
from api.core.words import prompt, words_for
from api.db import Values, store

PRACTISE, DIFFERENTLY, QUIET = QUESTIONS = ("what_to_practise", "handled_differently", "quiet")
EVERY_DAYS: Final = 10
"""How seldom it is asked for a moment: on one day of so many."""
QUOTED_AFTER: Final = timedelta(days=7)
"""How long ago a moment was that is quoted."""


def question(reader: Actor, day: Day) -> Values | None:
    """The one question of this day, if it is a day for one."""
    fell_quiet = next((walk for walk in day.walks if _asks(day, walk)), None)
    if fell_quiet is not None:
        said: Values = words_for(day.patient["locale"])["today"][QUIET]
        return said | {"key": QUIET, "beside": None, "practice": name_of(fell_quiet.practice)}
    if day.days.now is not None and not day.walks:
        return _prompted(day, PRACTISE)
    if _is_day_for_moments(day) and not _noticed_today(reader, day):
        return _prompted(day, DIFFERENTLY)
    return None


def _asks(day: Day, walk: Walk) -> bool:
    row, zone = walk.practice, day.patient["time_zone"]
    begun_on, touched_on = (local_day(row[at], zone) for at in ("created_at", "updated_at"))
    return quiet.asks(walk.log, begun_on, touched_on, day.on)


def _prompted(day: Day, key: str) -> Values:
    asked = prompt(key, day.patient["locale"])
    return {name: asked[name] for name in ("key", "text", "beside", "answer_with")} | {
        "practice": None,
        "answers": [],
    }


def _is_day_for_moments(day: Day) -> bool:
    """One of the patient's days in ten, not the same for everybody."""
    own: int = day.patient["id"].int
    return (day.on.toordinal() + own) % EVERY_DAYS == 0


def _noticed_today(reader: Actor, day: Day) -> bool:
    m = moments.c
    statement = select(m.happened_on, m.noticed_at).where(
        m.clinic_id == reader.clinic_id,
        m.patient_id == day.patient["id"],
        m.noticed_at >= clock.now() - timedelta(days=2),
        m.deleted_at.is_(None),
    )
    rows = store().rows(statement)
    zone = day.patient["time_zone"]
    return any(local_day(row["noticed_at"], zone) == day.on for row in rows)


def quote(reader: Actor, day: Day) -> Values | None:
    """An earlier moment in the patient's own words, another one every day; None if they'd not."""
    m = moments.c
    own = or_(m.in_words_of == "patient", and_(m.in_words_of.is_(None), m.author_kind == "patient"))
    mine = [m.clinic_id == reader.clinic_id, m.patient_id == day.patient["id"], own]
    long_ago = m.noticed_at < clock.now() - QUOTED_AFTER
    placed = select(
        *(m[name] for name in ("clinic_id", "id", "text", "happened_on", "noticed_at")),
        (func.row_number().over(order_by=m.id) - 1).label("place"),
        func.count().over().label("count"),
        _wishes(reader),
    )
    every = placed.where(*mine, long_ago, m.deleted_at.is_(None)).subquery("every")
    chosen = every.c.place == day.on.toordinal() % every.c.count
    row = store().row(select(every).where(chosen), opens=moments)
    if row is None or not (DEFAULTS | (row["preferences"] or {}))["quote_my_moments"]:
        return None
    said: Values = words_for(day.patient["locale"])["today"]
    quoted = {"moment_id": row["id"], "text": row["text"], "on": day_of(day.patient, row)}
    return quoted | {"words": said["quote"]}


def _wishes(reader: Actor) -> Any:
    mine = (users.c.clinic_id == reader.clinic_id, users.c.id == reader.user_id)
    return select(users.c.preferences).where(*mine).scalar_subquery().label("preferences")
