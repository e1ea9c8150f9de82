"""Recording: what has happened enters the ledger, is judged, and is never refused for that.

Only a wrong form refuses. An entry that came before is answered again; one that corrects another
supersedes it; one that comes after the record was signed becomes a draft addendum.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from api.access.policies import Actor
from api.audit import trail
from api.core import gate
from api.core.treatment.dosing import finding
from api.core.treatment.dosing.held import CONFLICT, REFUSED, Ledger
from api.core.treatment.dosing.table import ledger_entries
from api.core.treatment.sessions import sessions
from api.core.treatment.sessions.booking import lock_session
from api.db import Values
from api.errors import Conflict, Invalid


def receive_entry(actor: Actor, action: str, session_id: UUID, kind: str, values: Values) -> Values:
    """An entry that another system took, `{outcome, entry}`; a signed record takes none."""
    seen = gate.find_in_chart(actor, action, sessions, session_id)
    ledger = _open(actor, seen, None)
    if ledger.is_signed:
        detail = "The record of the session is signed."
        raise Conflict(detail, state=seen["state"], allowed=[])
    trail.wrote(values)
    result = ledger.take({"type": kind, **values})
    ledger.close()
    return result


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


def _one_of_many(ledger: Ledger, item: Values) -> Values:
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


def _open(actor: Actor, seen: Values, device_sent_at: datetime | None) -> Ledger:
    """The ledger of a session, held so that entries follow each other without a gap."""
    if seen["kind"] != "dosing":
        raise Conflict("Only a dosing session has a ledger.", state=seen["state"], allowed=[])
    session = lock_session(seen)
    entries = finding.entries_of(session["clinic_id"], session["id"])
    return Ledger(actor, session, entries, device_sent_at)
