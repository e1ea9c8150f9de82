"""Passing over what stands in the way: who said so and why, kept beside the session."""

from collections.abc import Iterable

from api import clock
from api.access.policies import Actor
from api.audit import trail
from api.db import Values
from api.errors import Conflict


def kept(
    passer: Actor, row: Values, found: Iterable[Values], overrides: list[Values], refusal: Conflict
) -> Values:
    """The column that keeps what was passed over; raises `refusal` with the reasons that are left.

    A reason that nobody may pass over is left whoever tries; one that is not there is not kept.
    """
    given = {override["code"]: override["reason"] for override in overrides}
    there = list(found)
    left = [each for each in there if each["overridable_by"] is None or each["code"] not in given]
    if left:
        codes = [each["code"] for each in left]
        raise Conflict(refusal.detail, **refusal.extras, reasons=left, missing=codes)
    used = [each["code"] for each in there]
    if not used:
        return {}
    trail.wrote(f"overrides.{code}" for code in used)
    before = row["overrides"] or []
    return {"overrides": [*before, *(_kept(passer, code, given[code]) for code in used)]}


def _kept(passer: Actor, code: str, reason: str) -> Values:
    by = {"id": str(passer.user_id), "display_name": passer.rights.display_name}
    at = clock.now().isoformat().replace("+00:00", "Z")
    return {"code": code, "reason": reason, "overridden_by": by, "overridden_at": at}
