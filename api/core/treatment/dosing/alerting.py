"""Alerting: what entries are judged against, and the alerts that judgements raise at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select

from api.access.policies import Actor
from api.core import alerts
from api.core.consents import consents
from api.core.treatment.dosing import finding
from api.core.treatment.dosing.judging import Against, Consent, tells
from api.core.treatment.protocols import Protocol
from api.db import Values, store


@dataclass(frozen=True)
class Judged:
    """What every entry of one request is judged against, read once."""

    given: Against

    @property
    def protocol(self) -> Protocol:
        """The version in force."""
        return self.given.protocol

    def with_doses(self, doses: Sequence[Values]) -> Against:
        """The same beside the doses that stand by then."""
        return replace(self.given, doses=doses)


def against(session: Values) -> Judged:
    """What the entries of a session are judged against; asks nobody, for callers that did."""
    protocol = finding.protocol_of(session)
    ended_at = session["completed_at"] or session["closed_at"]
    plan = finding.plan_of(session["clinic_id"], session["id"])
    stood = consents_of(session, protocol)
    return Judged(Against(protocol, session["started_at"], ended_at, plan, stood, ()))


def consents_of(session: Values, protocol: Protocol) -> list[Consent]:
    """The patient's consents of the kinds that a protocol asks for, withdrawn ones among them."""
    c = consents.c
    statement = select(c.kind, c.granted_at, c.withdrawn_at, c.superseded_at).where(
        c.clinic_id == session["clinic_id"],
        c.patient_id == session["patient_id"],
        c.kind.in_(protocol.required_consents),
        c.deleted_at.is_(None),
    )
    return [Consent(**row) for row in store().rows(statement)]


def tell(recorder: Actor, session: Values, entry: Values, judgements: Sequence[Values]) -> None:
    """Raise the alerts of an entry, in the transaction that stored it."""
    flags = tells(judgements)
    source: dict[str, Any] = {name: session[name] for name in ("clinic_id", "patient_id")}
    alerts.raise_alerts(
        alerts.Source(
            **source,
            session_id=session["id"],
            entry_id=entry.get("id"),
            answered_at=entry["measured_at"],
            raised_by=recorder.writer_id,
        ),
        [alerts.signal(flag) for flag in flags],
    )
