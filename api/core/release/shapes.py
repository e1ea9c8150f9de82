"""The shapes of the files: every column with its closed list of words, and what it means.

A column is only ever added. What a word may be is written here and nowhere else: whatever is not
in its list can't leave. Nothing depends on the data: a rare word shows in no header and no list.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

from api.core.integration.tables import CATEGORIES
from api.core.integration.trail import FORMULA, STAGES
from api.core.outcomes.change import RELIABLE
from api.core.outcomes.instruments.catalogue import catalogue, editions
from api.core.release import deidentify as d
from api.core.release.anonymity import UNKNOWN
from api.core.treatment.courses import MEDICINES, ROUTES
from api.core.treatment.dosing.vocabulary import EVENTS
from api.core.treatment.sessions import KINDS

SCHEMA_VERSION: Final = "1.0.0"
"""Of names and meanings; a rename raises its first number."""
NOT_ANSWERED, ITEMS_MISSING = MISSING = ("not_answered", "items_missing")
YES, NO = "yes", "no"
SUICIDALITY: Final = (
    "suicidality_item_positive",
    "suicidality_item_high",
    "suicide_risk_low",
    "suicide_risk_moderate",
    "suicide_risk_high",
)
"""Flags of instruments that say something of suicidality."""
DROP, NULL = "drop", "null"
"""What becomes of a row whose word is rare: it goes, or only the word does; else it is `other`."""


@dataclass(frozen=True)
class Field:
    """One column: its name, kind (`string`, `integer`, `number`, `boolean`, `date`), its words.

    What has a `pattern` is none of a list: every value is written so and not otherwise.
    """

    name: str
    kind: str
    says: str
    words: tuple[str, ...] = ()
    rare: str | None = None
    low: float | None = None
    high: float | None = None
    pattern: str | None = None


@dataclass(frozen=True)
class Shape:
    """One file: its columns in order, and those that name a row."""

    name: str
    says: str
    fields: tuple[Field, ...]
    key: tuple[str, ...] = ()

    def place(self, name: str) -> int:
        """Where a column stands."""
        return [field.name for field in self.fields].index(name)


def text(name: str, says: str, words: tuple[str, ...] = (), rare: str | None = None) -> Field:
    """A column of words."""
    return Field(name, "string", says, words, rare)


def _count(name: str, says: str) -> Field:
    return Field(name, "integer", says, low=0, high=100_000)


SUBJECT = Field(
    "subject_id",
    "string",
    "Random code of one patient in this project, 32 hexadecimal digits.",
    pattern="[0-9a-f]{32}",
)
WINDOW = text("window", "Stretch of days from the first dose; days lie nowhere.", d.CODES)


def _subjects() -> Shape:
    withheld = (UNKNOWN, d.WITHHELD)
    return Shape(
        "subjects",
        "One row for each subject.",
        (
            SUBJECT,
            text("age_band", "Age at the first dose.", (*d.BANDS, *d.WIDE_BANDS, *withheld)),
            text("sex_at_birth", "Recorded at birth.", (*d.SEXES, *withheld)),
            text("state", "State of residence.", (*sorted(d.STATES), *withheld)),
            text("diagnosis_group", "Group of the ICD-10-CM code.", (*d.DIAGNOSES, *withheld)),
            text("route", "How the first course is given.", (*ROUTES, *withheld)),
            text("medicine", "Of the first course.", (*MEDICINES, UNKNOWN), NULL),
            text("practised_in_window", IN_WINDOW, (YES, NO)),
            text("suicidality", "A safety item was ever positive (sensitive).", (YES, NO)),
            text("end_state", "How treatment stands.", ("in_treatment", "discharged"), NULL),
        ),
        ("subject_id",),
    )


IN_WINDOW: Final = (
    "Whether a step that counts was walked on day 0 to 7 after a dose; of steps that the patient"
    " shares for research."
)


def _sessions() -> Shape:
    return Shape(
        "sessions",
        "Sessions held, by window and kind; unlike anybody else's they end early.",
        (
            SUBJECT,
            WINDOW,
            text("kind", "Kind of session.", KINDS, DROP),
            text("held", "How many were held, up to three and more.", d.COUNTS),
            text("mg_per_kg", "Mean dose of the window in mg per kg, in bands.", d.DOSES, NULL),
        ),
        ("subject_id", "window", "kind"),
    )


@cache
def bands() -> tuple[str, ...]:
    """The bands of totals of all instruments."""
    return tuple(sorted({band.code for one in _every() for band in one.bands}))


@cache
def _every() -> tuple:  # type: ignore[type-arg]
    return tuple(one for there in editions().values() for one in there.values())


def versions() -> tuple[str, ...]:
    """The versions of items that ever were."""
    return tuple(sorted({one.version for one in _every()}))


def scorings() -> tuple[str, ...]:
    """The versions of scoring that ever were."""
    return tuple(sorted({one.scoring_version for one in _every()}))


def _verdicts() -> tuple[Field, ...]:
    return (
        Field(
            "difference", "number", "Total less the baseline's, in points.", low=-1000, high=1000
        ),
        Field("response", "boolean", "By the instrument's published rule."),
        Field("remission", "boolean", "By the instrument's published rule."),
        text("reliable_change", "By the reliable change index, beyond 1.96.", RELIABLE),
        Field("deterioration", "boolean", "Reliably worse than the baseline."),
    )


def _scores() -> Shape:
    return Shape(
        "scores",
        "Totals, one row for each subject, instrument and window.",
        (
            SUBJECT,
            text("instrument", "Key of the instrument.", tuple(catalogue()), DROP),
            text("instrument_version", "Of its items.", versions()),
            text("scoring_version", "Of its scoring; null without an answer.", scorings()),
            WINDOW,
            Field("total", "number", "In points; null is missing, never 0.", low=0, high=1000),
            text("band", "Band of the total.", bands()),
            text("missing_reason", "Why there is no total.", MISSING),
            *_verdicts(),
        ),
        ("subject_id", "instrument", "window"),
    )


def wide_name(instrument: str, window: str) -> str:
    """The column of one instrument's total at one window: `phq9_total_w04`."""
    week = "w00" if window == d.BASELINE else f"w{window.removeprefix('week_')}"
    return f"{instrument.replace('-', '')}_total_{week}"


def _wide() -> Shape:
    totals = tuple(
        Field(wide_name(key, w), "number", f"Total of {key} at {w}.", low=0, high=1000)
        for key in catalogue()
        for w in d.CODES
    )
    return Shape("scores_wide", "The same totals, one row a subject.", (SUBJECT, *totals), KEY)


KEY: Final = ("subject_id",)


def _practice(name: str, says: str, *fields: Field) -> Shape:
    category = text("category", "Category of the practice's goal.", CATEGORIES, d.OTHER)
    return Shape(name, says, (SUBJECT, category, WINDOW, *fields))


def _shapes() -> tuple[Shape, ...]:
    stages = tuple(name for name, _ in STAGES)
    return (
        _subjects(),
        _sessions(),
        _scores(),
        _wide(),
        _practice(
            "steps",
            "Steps logged and shared for research, counted.",
            _count("done", "Walked whole."),
            _count("partly", "Walked in part."),
            _count("prompted", "Walked after a prompt."),
            _count("skipped", "Not walked."),
            _count("detours", "The old trail was taken."),
        ),
        _practice(
            "trail",
            "What the steps add up to, in windows in which one was walked.",
            Field("strength", "number", "0 to 1, to two places.", low=0, high=1),
            text("stage", "Word for the strength.", stages),
            text("formula", "Version of the formula.", (FORMULA,)),
        ),
        Shape(
            "moments",
            "Moments noticed and shared for research, counted.",
            (SUBJECT, WINDOW, text("moments", "How many, up to three and more.", d.COUNTS)),
            ("subject_id", "window"),
        ),
        Shape(
            "safety",
            "Coded safety signals: of check-ins, and adverse events of sessions.",
            (
                SUBJECT,
                WINDOW,
                text("source", "Where it was said.", ("check_in", "session")),
                text("code", "What was said.", (*flags(), *EVENTS), d.OTHER),
            ),
        ),
    )


@cache
def flags() -> tuple[str, ...]:
    """The safety flags of shipped instruments; a clinic's own words are none of them."""
    return tuple(
        sorted({rule.flag for one in _every() for rule in one.safety_rules} | set(SUICIDALITY))
    )


@cache
def shapes() -> dict[str, Shape]:
    """Every file by name."""
    return {shape.name: shape for shape in _shapes()}
