"""What a set of answers becomes: merged with those before, scored, and ready to be stored."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from api import clock
from api.core.outcomes.checkins.table import COMPLETE, DRAFT, check_ins
from api.core.outcomes.instruments.catalogue import Instrument, catalogue, instrument
from api.core.outcomes.instruments.scoring import (
    NOT_AN_INTEGER,
    NOT_IN_LIST,
    UNKNOWN_ITEM,
    BadAnswer,
    score,
)
from api.core.patients import patients
from api.db import Values, found, store
from api.errors import Invalid

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
    one, moment = instrument(values["instrument"]), values.get("answered_at") or clock.now()
    if "answered_on" not in values:
        values = values | day_of(moment, _zone_of(clinic_id, patient_id))
    full = {"source": "app", "answered_by": "patient", "answered_at": moment} | values
    keys = {"clinic_id": clinic_id, "patient_id": patient_id}
    return store().add(check_ins, full | keys | reckoned(one, values["answers"], COMPLETE))


def _zone_of(clinic_id: UUID, patient_id: UUID) -> str:
    mine = (patients.c.clinic_id == clinic_id, patients.c.id == patient_id)
    return str(found(store().row(select(patients.c.time_zone).where(*mine)))["time_zone"])


def day_of(moment: datetime, zone: str) -> Values:
    """`answered_on`: the calendar day that `moment` is in the patient's time zone."""
    return {"answered_on": moment.astimezone(ZoneInfo(zone)).date()}


def known_instrument(key: str) -> Instrument:
    """The instrument that a body or a query names; `Invalid` at its pointer without one."""
    one = catalogue().get(key)
    if one is None:
        raise Invalid([("/instrument", "There is no such instrument.")])
    return one


def merged(before: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """The answers after a part of them arrived; null is kept, for it says "left open"."""
    return {**before, **part}


def reckoned(one: Instrument, answers: Mapping[str, Any], state: str) -> Values:
    """The columns that follow from the answers. Raises `BadAnswer`."""
    scores = score(one, answers)
    done = state == COMPLETE
    return {
        "instrument_version": one.version,
        "scoring_version": one.scoring_version,
        "state": state,
        "answers": dict(answers),
        "scores": scores,
        "total": scores["total"] if done else None,
        "band": scores["band"] if done else None,
    }


def taken(one: Instrument, answers: Mapping[str, Any], state: str = DRAFT) -> Values:
    """The same for answers that a person sent: a bad one is `Invalid` at its own pointer.

    The refusal's cause is the `BadAnswer`, which knows the safety rules that were raised.
    """
    try:
        return reckoned(one, answers, state)
    except BadAnswer as bad:
        raise Invalid([(_pointer(at), SAID[code]) for at, code in bad.problems]) from bad


def _pointer(link_id: str) -> str:
    return "/answers/" + link_id.replace("~", "~0").replace("/", "~1")
