"""Recording: what has happened enters the ledger, is judged, and is never refused for that.

Only a wrong form refuses. An entry that came before is answered again; one that corrects another
supersedes it; one that comes after the record was signed becomes a draft addendum.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.care_team import works_here
from api.core.treatment.dosing import after_signing, alerting, finding, showing
from api.core.treatment.dosing.judging import judge
from api.core.treatment.dosing.monitoring import standing
from api.core.treatment.dosing.plausible import faults
from api.core.treatment.dosing.table import ledger_entries
from api.core.treatment.dosing.vocabulary import DOSE, ESKETAMINE, VOID
from api.core.treatment.sessions import sessions
from api.core.treatment.sessions.booking import lock_session
from api.db import Values, store
from api.errors import Conflict, Invalid
from api.outbox import events

STORED, ALREADY_STORED, AS_ADDENDUM, CONFLICT, REFUSED = RESULTS = (
    "stored",
    "already_stored",
    "as_addendum",
    "conflict",
    "refused",
)
WRONG_PATIENT: Final = "wrong_patient"
AHEAD: Final = "This lies ahead; a device whose clock does too tells it in device_sent_at."
CLOCKS_DIFFER: Final = timedelta(seconds=30)
SKEW_BELIEVED: Final = timedelta(minutes=15)
"""How far a device's clock may be from ours before its times are judged."""
ABOUT: Final = ("type", "client_event_id", "measured_at", "corrects_id", "reason", "patient_id")
BY_EVENT: Final = "corrects_client_event_id"
"""Names what is corrected where a device has not been told its id yet."""
"""What an entry says of itself; the rest is its content."""


def record_entry(actor: Actor, session_id: UUID, kind: str, values: Values) -> Values:
    """One entry of the ledger; the same again is answered again, other content is a conflict."""
    seen = gate.find_in_chart(actor, "ledger:record", sessions, session_id)
    given = dict(values)
    ledger = _open(actor, seen, given.pop("device_sent_at", None))
    trail.wrote(given)
    result = ledger.take({"type": kind, **given})
    ledger.close()
    if "entry" in result:
        trail.about(ledger_entries.name, result["entry"]["id"])
    return ledger.shown(result)


def record_batch(
    actor: Actor, session_id: UUID, items: Sequence[Values], device_sent_at: datetime | None
) -> Values:
    """Many entries at once, late or offline, each judged by itself, in the order they came.

    An item is `{client_event_id, values}`, or `{client_event_id, errors}` where its form is wrong.
    """
    seen = gate.find_in_chart(actor, "ledger:record", sessions, session_id)
    ledger = _open(actor, seen, device_sent_at)
    results = [_one_of_many(ledger, item) for item in items]
    ledger.close()
    trail.wrote(name for item in items for name in item.get("values", {}))
    return {"results": ledger.all_shown(results), "server_time": ledger.now}


def _one_of_many(ledger: "_Ledger", item: Values) -> Values:
    told = {"client_event_id": item["client_event_id"]}
    if "errors" in item:
        return told | {"outcome": REFUSED, "code": "invalid", "errors": item["errors"]}
    try:
        return told | ledger.take(item["values"])
    except Invalid as refusal:
        code = refusal.extras.get("code", "invalid")
        errors = [{"pointer": pointer, "detail": detail} for pointer, detail in refusal.errors]
        return told | {"outcome": REFUSED, "code": code, "errors": errors}
    except Conflict as refusal:
        errors = [{"pointer": "/client_event_id", "detail": refusal.detail}]
        code, by = refusal.extras["code"], refusal.extras.get("superseded_by")
        named = {} if by is None else {"superseded_by": by}
        return told | {"outcome": CONFLICT, "code": code, "errors": errors} | named


def _open(actor: Actor, seen: Values, device_sent_at: datetime | None) -> "_Ledger":
    """The ledger of a session, held so that entries follow each other without a gap."""
    if seen["kind"] != "dosing":
        raise Conflict("Only a dosing session has a ledger.", state=seen["state"], allowed=[])
    session = lock_session(seen)
    entries = finding.entries_of(session["clinic_id"], session["id"])
    return _Ledger(actor, session, entries, device_sent_at)


@dataclass
class _Ledger:
    """A held ledger: what is in it, and what one request adds."""

    recorder: Actor
    session: Values
    entries: list[Values]
    device_sent_at: datetime | None
    now: datetime = field(default_factory=clock.now)
    is_signed: bool = False
    added: list[Values] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Ask once whether the record is signed, what came since, and what is judged against."""
        self.is_signed = after_signing.is_signed(self.session)
        self.drafted = after_signing.drafted(self.session)
        self.judged_by = alerting.against(self.session)

    def take(self, given: Values) -> Values:
        """Take one entry; raises `Invalid` or `Conflict` before anything of it is written."""
        entry = self._said(self._with_corrected(given))
        known = self._known(entry)
        if known is not None:
            return known
        witness_here = self._check(entry)
        doses = self._doses(entry["corrects_id"])
        against = self.judged_by.with_doses(doses)
        seen = replace(
            against, witness_here=witness_here, device_clock_wrong=self._device_clock_wrong()
        )
        judgements = judge(entry, seen)
        if self.is_signed:
            addendum = after_signing.become_addendum(self.recorder, self.session, entry)
            self.drafted[entry["client_event_id"]] = {"entry": entry, "addendum": addendum}
            alerting.tell(self.recorder, self.session, entry, judgements)
            return {"outcome": AS_ADDENDUM, "addendum": addendum}
        return {"outcome": STORED, "entry": self._add(entry, judgements)}

    def close(self) -> None:
        """Let the session know when its first and its last standing dose were."""
        doses = self._doses(None)
        at = [dose["measured_at"] for dose in doses]
        of_esketamine = [d["measured_at"] for d in doses if d["content"]["medicine"] == ESKETAMINE]
        stamps = {
            "first_dose_at": at[0] if at else None,
            "last_dose_at": at[-1] if at else None,
            "esketamine_at": of_esketamine[0] if of_esketamine else None,
        }
        if any(self.session[name] != value for name, value in stamps.items()):
            store().change(sessions, self.session, stamps)

    def shown(self, result: Values) -> Values:
        """A single result as it is answered: the entry itself, or what became of it."""
        (one,) = self.all_shown([result])
        rest = one["entry"] if "entry" in one else {"addendum": one["addendum"]}
        return {"result": one["outcome"], **rest}

    def all_shown(self, results: list[Values]) -> list[Values]:
        """Results with their entries as the doors show them; two queries, however many."""
        ids = [one["entry"]["id"] for one in results if "entry" in one]
        shown = showing.show_all(self.recorder, self.session, self.entries, ids)
        return [
            one | ({"entry": shown[one["entry"]["id"]]} if "entry" in one else {})
            for one in results
        ]

    def _with_corrected(self, given: Values) -> Values:
        """The same, with the id of what it corrects where it names that by its event id."""
        given = dict(given)
        event_id = given.pop(BY_EVENT, None)
        if event_id is None:
            return given
        if given.get("corrects_id") is not None:
            raise Invalid([(f"/{BY_EVENT}", "One of the two names what is corrected.")])
        there = [e["id"] for e in self.entries if e["client_event_id"] == event_id]
        if not there:
            raise Invalid([(f"/{BY_EVENT}", "No such entry of this session.")])
        return given | {"corrects_id": there[0]}

    def _said(self, given: Values) -> Values:
        content = {name: value for name, value in given.items() if name not in ABOUT}
        if given["type"] == DOSE:
            content["dose_mg_per_kg"] = round(content["dose_mg"] / content["weight_kg"], 4)
        said = {name: given.get(name) for name in ABOUT}
        return said | {"content": _plain(content)}

    def _known(self, entry: Values) -> Values | None:
        """What was answered to this `client_event_id`; raises `Conflict` for other content."""
        event_id = entry["client_event_id"]
        for there in self.entries:
            if there["client_event_id"] == event_id:
                _refuse_other(entry, there)
                return {"outcome": ALREADY_STORED, "entry": there}
        drafted = self.drafted.get(event_id)  # it stays one when the record is opened again
        if drafted is None:
            return None
        _refuse_other(entry, drafted["entry"])
        return {"outcome": AS_ADDENDUM, "addendum": drafted["addendum"]}

    def _check(self, entry: Values) -> bool:
        """Whether its witness works here, if it names one.

        Raises `Invalid` for what no form can see, `Conflict` for what was corrected already.
        """
        patient_id = entry["patient_id"]
        if patient_id is not None and patient_id != self.session["patient_id"]:
            others = [("/patient_id", "This session is another patient's.")]
            raise Invalid(others, code=WRONG_PATIENT)
        wrong = faults(entry)
        if entry["measured_at"] > self._latest():
            wrong.append(("/measured_at", AHEAD))
        if wrong:
            raise Invalid(wrong)
        self._check_correction(entry)
        witness = entry["content"].get("witnessed_by")
        if witness is None:
            return True
        if witness == str(self.recorder.user_id):
            raise Invalid([("/witnessed_by", "A witness is somebody else.")])
        return works_here(self.session["clinic_id"], UUID(witness), "/witnessed_by")

    def _check_correction(self, entry: Values) -> None:
        if entry["corrects_id"] is None:
            return
        there = next((e for e in self.entries if e["id"] == entry["corrects_id"]), None)
        if there is None or there["type"] == VOID:
            raise Invalid([("/corrects_id", "No such entry of this session.")])
        if entry["type"] not in (there["type"], VOID):
            raise Invalid([("/corrects_id", "A correction is of the same type.")])
        if there["superseded_by"] is not None:
            raise Conflict(
                "Another entry corrected it already; correct that one.",
                code="superseded",
                state=self.session["state"],
                allowed=[],
                superseded_by=there["superseded_by"],
            )

    def _latest(self) -> datetime:
        """The latest instant that may be told: now, or the device's own now where it tells it."""
        sent = self.device_sent_at
        return (self.now if sent is None else max(sent, self.now)) + CLOCKS_DIFFER

    def _device_clock_wrong(self) -> bool:
        sent = self.device_sent_at
        return sent is not None and abs(sent - self.now) > SKEW_BELIEVED

    def _doses(self, without: UUID | None) -> list[Values]:
        there = standing(self.entries)
        return [e for e in there if e["type"] == DOSE and e["id"] != without]

    def _add(self, entry: Values, judgements: list[Values]) -> Values:
        session = self.session
        skew = None if self.device_sent_at is None else self.now - self.device_sent_at
        keys = {name: session[name] for name in ("clinic_id", "patient_id")}
        values = {
            **keys,
            "session_id": session["id"],
            "sequence": (self.entries[-1]["sequence"] if self.entries else 0) + 1,
            "device_sent_at": self.device_sent_at,
            "device_clock_skew_ms": None if skew is None else skew // timedelta(milliseconds=1),
            "recorded_by": self.recorder.user_id,
            "late": session["state"] == "completed",
            "judgements": judgements,
            "protocol_key": self.judged_by.protocol.key,
            "protocol_version": self.judged_by.protocol.version,
        }
        said = {name: value for name, value in entry.items() if name != "patient_id"}
        also = [_event(session)] if entry["type"] == DOSE else []
        row = finding.with_content(store().add(ledger_entries, said | values, also=also))
        self._keep(row)
        alerting.tell(self.recorder, session, row, judgements)
        return row

    def _keep(self, row: Values) -> None:
        for there in self.entries:
            if there["id"] == row["corrects_id"]:
                there["superseded_by"] = row["id"]
        self.entries.append(row)


def _event(session: Values) -> tuple[Any, Values]:
    subject = {"session_id": session["id"], "patient_id": session["patient_id"]}
    return events.row(session["clinic_id"], "dose.recorded", subject)


def _plain(content: Values) -> Values:
    """The content as JSON keeps it: ids and instants as text, what is null left out."""
    plain = {}
    for name, value in content.items():
        if isinstance(value, datetime):
            value = value.isoformat().replace("+00:00", "Z")
        if isinstance(value, UUID):
            value = str(value)
        if value is not None:
            plain[name] = value
    return plain


SAME: Final = ("type", "measured_at", "corrects_id", "reason", "content")


def _refuse_other(entry: Values, there: Values) -> None:
    if any(entry[name] != there[name] for name in SAME):
        raise Conflict(
            "This client_event_id was used for an entry with other content.",
            code="other_content",
            state="stored",
            allowed=[],
        )
