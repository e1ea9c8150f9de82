"""Refused forms: what they say of somebody's safety is heard all the same."""

from typing import Any, Final
from uuid import UUID

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core import alerts, gate
from api.core.clinic import crisis_for
from api.core.integration.entries import patient_of
from api.core.outcomes.checkins import safety
from api.core.outcomes.checkins.scored import answered_instrument, known_instrument
from api.core.outcomes.checkins.table import DRAFT, check_ins
from api.core.outcomes.instruments.definition import Instrument
from api.core.patients import open_chart
from api.db import Values
from api.errors import Invalid

MAX_KEY: Final = 60


def hear_refused_new(
    actor: Actor, patient_id: UUID, said: Values, action: str = "check_in:log"
) -> Values | None:
    """Crisis resources, when a check-in that was refused holds a positive safety answer.

    The alert is raised in the transaction that is open. None when it holds no such answer.
    """
    patient = open_chart(actor, action, patient_id)
    try:
        one = known_instrument(patient["clinic_id"], str(said.get("instrument"))[:MAX_KEY])
    except Invalid:
        return None
    row = {"clinic_id": patient["clinic_id"], "patient_id": patient["id"], "instrument": one.key}
    return _heard(actor, patient, one, said, row)


def hear_refused_answers(actor: Actor, check_in_id: UUID, said: Values) -> Values | None:
    """The same for answers to a check-in that is there already."""
    row = gate.find_in_chart(actor, "check_in:log", check_ins, check_in_id)
    return _heard(actor, patient_of(row), answered_instrument(row), said, row)


def _heard(
    sender: Actor, patient: Values, one: Instrument, said: Values, row: Values
) -> Values | None:
    answers: Any = said.get("answers")
    if not isinstance(answers, dict):
        return None
    positive = safety.signals(one, answers, DRAFT)
    if not positive:
        return None
    known = safety.said_before(row) if "id" in row else {}
    source = safety.source(row, clock.now(), sender.writer_id, refused=True)
    alerts.raise_alerts(source, positive, known)
    trail.touches([patient["id"]])
    return crisis_for(patient["clinic_id"], patient["locale"])[1]
