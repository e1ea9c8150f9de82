"""A held ledger: what is in it, what one request adds, and what becomes of each entry."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from api import clock
from api.access.policies import Actor
from api.core.care_team import works_here
from api.core.treatment.dosing import after_signing, alerting, finding, showing
from api.core.treatment.dosing.judging import judge
from api.core.treatment.dosing.monitoring import standing
from api.core.treatment.dosing.plausible import faults
from api.core.treatment.dosing.table import ledger_entries
from api.core.treatment.dosing.vocabulary import DOSE, ESKETAMINE, VOID
from api.core.treatment.sessions import sessions
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
"""What an entry says of itself; the rest is its content."""
BY_EVENT: Final = "corrects_client_event_id"
"""Names what is corrected where a device has not been told its id yet."""


@dataclass
class Ledger:
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
        if self.is_signed or BY_EVENT in entry["content"]:
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
        if there:
            return given | {"corrects_id": there[0]}
        if self._corrects_draft(event_id, given["type"]):
            return given | {BY_EVENT: event_id}  # it is content: of drafts, people make sense
        raise Invalid([(f"/{BY_EVENT}", "No such entry of this session.")])

    def _corrects_draft(self, event_id: str, kind: str) -> bool:
        """Whether an entry that became an addendum is corrected by one of this type."""
        draft = self.drafted.get(event_id)
        return draft is not None and kind in (draft["entry"]["type"], VOID)

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
