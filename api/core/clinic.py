"""The clinic itself: its name, its time zone, and whom a patient in danger can turn to."""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from api import clock
from api.access.policies import Actor
from api.access.users import EHR_ACCESS as EHR_ACCESS, clinics
from api.audit import trail
from api.core import gate, words
from api.db import Values, found, match, store
from api.errors import Invalid, Stale

BLANK: Values = dict.fromkeys(("emergency", "line", "text", "phone", "review_on"))
NEEDED = ("emergency", "review_on")
MAX_LOCALES = 50
RETENTION = (5, 100)
"""Fewest and most years for which records are kept; Florida has 5, the fewest of the states."""


def read_clinic(actor: Actor) -> Values:
    """The clinic as its administrator sees it."""
    gate.admit(actor, "clinic:read")
    return _row(actor)


def _row(actor: Actor) -> Values:
    trail.about("clinic", actor.clinic_id)
    return found(store().row(select(clinics).where(clinics.c.id == actor.clinic_id)))


def change_clinic(actor: Actor, version: int | None, values: Values) -> Values:
    """Change a setting; crisis resources are merged by locale, and null takes a locale away."""
    gate.admit(actor, "clinic:update")
    row = _row(actor)
    match(row, version)
    trail.wrote(values)
    if not values:
        return row
    changed: Values = {**values, "version": row["version"] + 1, "updated_at": clock.now()}
    if "crisis_resources" in values:
        changed["crisis_resources"] = _merged(row["crisis_resources"], values["crisis_resources"])
    same = (clinics.c.id == row["id"], clinics.c.version == row["version"])
    if store().execute(clinics.update().where(*same).values(**changed)).rowcount != 1:
        raise Stale("The record was changed meanwhile.")
    return row | changed


def _merged(before: Values, patch: Values) -> Values:
    """Crisis resources by locale after a merge patch (RFC 7396); raises `Invalid` on gaps."""
    after: Values = dict(before)
    for locale, part in patch.items():
        if part is None:
            after.pop(locale, None)
        else:
            after[locale] = _whole(locale, BLANK | before.get(locale, {}) | part)
    if before and not after:
        raise Invalid([("/crisis_resources", "The last locale stays: somebody may need it.")])
    if len(after) > MAX_LOCALES:
        raise Invalid([("/crisis_resources", f"At most {MAX_LOCALES} locales.")])
    return after


def _whole(locale: str, resources: Values) -> Values:
    gaps = [name for name in NEEDED if resources[name] is None]
    if gaps:
        at = f"/crisis_resources/{locale}"
        raise Invalid([(f"{at}/{name}", "Needed for every locale.") for name in gaps])
    review_on: Any = resources["review_on"]
    return resources | {"review_on": str(review_on)}


def crisis_for(clinic_id: UUID, locale: str) -> tuple[str, Values]:
    """The clinic's name, and its crisis resources for a patient of this locale.

    Help is near by place and not by language: where the clinic has none of the locale, those of
    another language of its region serve, then those that come with the words for the region. Only
    where there are none of it either, those of the language elsewhere, and then any.
    """
    columns = (clinics.c.name, clinics.c.crisis_resources)
    row = found(store().row(select(*columns).where(clinics.c.id == clinic_id)))
    there: Values = row["crisis_resources"]
    language, region = (*locale.split("-"), None)[:2]
    alike = [each for each in sorted(there) if each.split("-")[0] == language]
    near = [each for each in sorted(there) if region and each.split("-")[1:] == [region]]
    shipped = words.locale_of_region(region)
    anywhere = () if shipped else (*alike, words.FALLBACK, *sorted(there))
    for each in (locale, *near, *anywhere):
        if each in there:
            return row["name"], BLANK | there[each]
    return row["name"], words.words_for(shipped or locale)["crisis"]
