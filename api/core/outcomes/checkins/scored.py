"""What a set of answers becomes: merged with those before, scored, and ready to be stored."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from api import clock
from api.core.outcomes.checkins import safety
from api.core.outcomes.checkins.table import COMPLETE, check_ins
from api.core.outcomes.instruments.definition import Instrument, sex_of
from api.core.outcomes.instruments.scoring import (
    NOT_AN_INTEGER,
    NOT_IN_LIST,
    UNKNOWN_ITEM,
    BadAnswer,
    score,
)
from api.core.outcomes.instruments.shelf import find_instrument
from api.core.patients import patients
from api.db import Values, found, store
from api.errors import Invalid, NotFound

SAID: Final = {
    UNKNOWN_ITEM: "The instrument has no such item.",
    NOT_AN_INTEGER: "Neither a whole number nor null.",
    NOT_IN_LIST: "Not one of the values that may be given.",
}


def add_check_in(clinic_id: UUID, patient_id: UUID, values: Values) -> Values:
    """The row of a new complete check-in, scored; asks nobody, for callers that did.

    `values` need `instrument` and `answers`. Raises `BadAnswer`, and `NotFound` for an unknown
    instrument.
    """
    one, moment = find_instrument(clinic_id, values["instrument"]), values.get("answered_at")
    moment, sex = moment or clock.now(), None
    if "answered_on" not in values or one.asks_for_sex:
        patient = _patient(clinic_id, patient_id)
        values, sex = day_of(moment, patient["time_zone"]) | values, patient["sex_at_birth"]
    full = {"source": "app", "answered_by": "patient", "answered_at": moment} | values
    keys = {"clinic_id": clinic_id, "patient_id": patient_id}
    row = store().add(check_ins, full | keys | reckoned(one, values["answers"], COMPLETE, sex))
    safety.heed(row, row["recorded_by"])
    return row


def _patient(clinic_id: UUID, patient_id: UUID) -> Values:
    mine = (patients.c.clinic_id == clinic_id, patients.c.id == patient_id)
    columns = (patients.c.time_zone, patients.c.sex_at_birth)
    return found(store().row(select(*columns).where(*mine)))


def day_of(moment: datetime, zone: str) -> Values:
    """`answered_on`: the calendar day that `moment` is in the patient's time zone."""
    return {"answered_on": moment.astimezone(ZoneInfo(zone)).date()}


def known_instrument(clinic_id: UUID, key: str) -> Instrument:
    """The instrument that a body or a query names; `Invalid` at its pointer without one."""
    try:
        return find_instrument(clinic_id, key)
    except NotFound:
        raise Invalid([("/instrument", "There is no such instrument.")]) from None


def answered_instrument(row: Values) -> Instrument:
    """The instrument of a check-in, in the version that it was begun in."""
    return find_instrument(row["clinic_id"], row["instrument"], row["instrument_version"])


def merged(before: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """The answers after a part of them arrived; null is kept, for it says "left open"."""
    return {**before, **part}


def reckoned(
    one: Instrument, answers: Mapping[str, Any], state: str, sex_at_birth: str | None = None
) -> Values:
    """The columns that follow from the answers. Raises `BadAnswer`."""
    scores = score(one, answers, sex_of(sex_at_birth))
    if state != COMPLETE:
        scores |= {"total": None, "band": None}  # nothing adds up before all is said
    return {
        "instrument_version": one.version,
        "scoring_version": one.scoring_version,
        "state": state,
        "answers": dict(answers),
        "scores": scores,
        "total": scores["total"],
        "band": scores["band"],
    }


def taken(
    one: Instrument, answers: Mapping[str, Any], state: str, sex_at_birth: str | None
) -> Values:
    """The same for answers that a person sent: a bad one is `Invalid` at its own pointer.

    The refusal's cause is the `BadAnswer`, which knows the safety rules that were raised.
    """
    try:
        return reckoned(one, answers, state, sex_at_birth)
    except BadAnswer as bad:
        raise Invalid([(_pointer(at), SAID[code]) for at, code in bad.problems]) from bad


def _pointer(link_id: str) -> str:
    return "/answers/" + link_id.replace("~", "~0").replace("/", "~1")
