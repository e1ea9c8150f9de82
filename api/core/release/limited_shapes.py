"""The shapes of a limited data set (45 CFR 164.514(e)): dates and postal codes, and no name.

Of the sixteen things that must go none is a column here; what may stay is told as little as serves
outcomes. Steps and moments are not here: patients shared them for de-identified figures. A town is
not either: it is written by hand. Every row says what it is, wherever it is carried.
"""

from functools import cache
from typing import Final

from api.core.outcomes.instruments.catalogue import catalogue
from api.core.release import deidentify as d
from api.core.release.anonymity import UNKNOWN
from api.core.release.shapes import (
    ITEMS_MISSING,
    KEY,
    NO,
    SUBJECT,
    YES,
    Field,
    Shape,
    bands,
    flags,
    scorings,
    text,
    versions,
)
from api.core.treatment.courses import MEDICINES, ROUTES
from api.core.treatment.dosing.vocabulary import EVENTS
from api.core.treatment.sessions import KINDS

NOTICE: Final = "Limited Data Set: PHI"
SAYS: Final = text("notice", "What the row is.", (NOTICE,))
WINDOW: Final = text("window", "Stretch of days from the first dose, or none.", d.CODES)


def _day(name: str, says: str) -> Field:
    return Field(name, "date", says)


def _subjects() -> Shape:
    return Shape(
        "limited_subjects",
        "One row for each subject.",
        (
            SUBJECT,
            Field("age_years", "integer", "At the first dose; 90 is 90 or older.", low=18, high=90),
            text("sex_at_birth", "Recorded at birth.", (*d.SEXES, UNKNOWN)),
            text("state", "State of residence.", (*sorted(d.STATES), UNKNOWN)),
            Field("zip5", "string", "Postal code of residence.", pattern=r"\d{5}"),
            text("diagnosis_group", "Group of the ICD-10-CM code.", (*d.DIAGNOSES, UNKNOWN)),
            text("route", "How the first course is given.", (*ROUTES, UNKNOWN)),
            text("medicine", "Of the first course.", (*MEDICINES, UNKNOWN)),
            _day("first_dose_on", "Day of the first dose."),
            text("suicidality", "A safety item was ever positive (sensitive).", (YES, NO)),
            text("end_state", "How treatment stands.", ("in_treatment", "discharged")),
            SAYS,
        ),
        KEY,
    )


def _sessions() -> Shape:
    return Shape(
        "limited_sessions",
        "Sessions held, one row each.",
        (
            SUBJECT,
            _day("held_on", "Day of the session."),
            text("kind", "Kind of session.", KINDS),
            WINDOW,
            Field("mg_per_kg", "number", "Given in it, mg per kg.", low=0, high=1000),
            SAYS,
        ),
    )


def _scores() -> Shape:
    return Shape(
        "limited_scores",
        "Totals, one row for each check-in.",
        (
            SUBJECT,
            text("instrument", "Key of the instrument.", tuple(catalogue())),
            text("instrument_version", "Of its items.", versions()),
            text("scoring_version", "Of its scoring.", scorings()),
            _day("answered_on", "Day of the answers."),
            WINDOW,
            Field("total", "number", "In points; null is missing, never 0.", low=0, high=1000),
            text("band", "Band of the total.", bands()),
            text("missing_reason", "Why there is no total.", (ITEMS_MISSING,)),
            SAYS,
        ),
    )


def _safety() -> Shape:
    return Shape(
        "limited_safety",
        "Coded safety signals: of check-ins, and adverse events of sessions.",
        (
            SUBJECT,
            _day("seen_on", "Day on which it was said or seen."),
            text("source", "Where it was said.", ("check_in", "session")),
            text("code", "What was said.", (*flags(), *EVENTS)),
            SAYS,
        ),
    )


@cache
def shapes() -> dict[str, Shape]:
    """Every file by name."""
    return {one.name: one for one in (_subjects(), _sessions(), _scores(), _safety())}
