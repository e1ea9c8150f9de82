"""Starting a dose: why it may not begin, and who has said that it begins all the same."""

from typing import Final

from api import clock
from api.access.policies import Actor, Privilege
from api.core import alerts
from api.db import Values
from api.errors import Conflict, NotAllowed

ALERT_OPEN: Final = "alert_open"
REASONS: Final = {ALERT_OPEN: "An immediate or same-day alert of this patient is not resolved."}
"""Why a dosing session may not start, in words that name nobody."""


def reasons(row: Values) -> list[Values]:
    """Why a dosing session may not start now: `{code, detail, overridable_by}` each."""
    if row["kind"] != "dosing" or not alerts.holds_dosing(row["clinic_id"], row["patient_id"]):
        return []
    by = Privilege.PRESCRIBE.value
    return [{"code": ALERT_OPEN, "detail": REASONS[ALERT_OPEN], "overridable_by": by}]


def overridden(starter: Actor, row: Values, overrides: list[Values], allowed: list[str]) -> Values:
    """The columns that keep the overrides; raises `Conflict` with the reasons that are left.

    `allowed` is what may be done with the session in its state. Raises `NotAllowed` when somebody
    without the privilege to prescribe overrides anything.
    """
    if overrides and Privilege.PRESCRIBE not in starter.rights.privileges:
        raise NotAllowed("Only a clinician who may prescribe overrides.")
    given = {override["code"]: override["reason"] for override in overrides}
    found = reasons(row)
    left = [reason for reason in found if reason["code"] not in given]
    if left:
        raise Conflict(
            "This session may not start yet.",
            state=row["state"],
            allowed=[move for move in allowed if move != "start"],
            ready=False,
            reasons=left,
            missing=[reason["code"] for reason in left],
        )
    used = [reason["code"] for reason in found]
    return {"overrides": [_kept(starter, code, given[code]) for code in used]} if used else {}


def _kept(starter: Actor, code: str, reason: str) -> Values:
    by = {"id": str(starter.user_id), "display_name": starter.rights.display_name}
    at = clock.now().isoformat().replace("+00:00", "Z")
    return {"code": code, "reason": reason, "overridden_by": by, "overridden_at": at}
