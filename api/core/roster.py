"""The roster: patients by what several rooms of the house know of them together."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists

from api.access.policies import Actor, Role, grant
from api.audit import trail
from api.core import consents, patients
from api.core.outcomes import plans
from api.core.patients import charts
from api.core.treatment import windows
from api.db import Listing, Page, page
from api.errors import NotAllowed

INTEGRATION, CHECK_IN, CONSENT = NEEDS = ("integration", "check_in", "consent")
"""What a patient may be in need of."""
WINDOW = "window"
TELLS_OF = {
    WINDOW: "window:read",
    INTEGRATION: "window:read",
    CHECK_IN: "check_in_plan:read",
    CONSENT: "consent:read",
}
"""The right to read what is asked by; whoever lacks it does not ask by it, for the answer tells."""


def list_patients_in_need(
    actor: Actor,
    asked: Page,
    window: str | None = None,
    needs: str | None = None,
    **sought: Any,
) -> Listing:
    """The patients in reach whose window is open, closed or none, or who need something.

    One query for all of them, and at most two that ask in which time zones they live. Raises
    `NotAllowed` where the reader's role does not read what is asked by.
    """
    statement = charts(actor, "patient:list")
    _refuse_unread(actor.rights.role, window and WINDOW, needs)
    conditions, values = patients.sought(actor.clinic_id, **sought)
    if window is not None:
        conditions.append(windows.stands(actor.clinic_id, window))
    if needs is not None:
        conditions.append(_needs(actor.clinic_id, needs))
    narrowed = statement.where(*conditions).params(**values)
    listing = page(narrowed, patients.patients, asked, opens=patients.patients)
    trail.touches(row["id"] for row in listing.items)
    listing.items = [patients.show_to(actor, row) for row in listing.items]
    return listing


def _refuse_unread(role: Role, *asked_by: str | None) -> None:
    unread = [what for what in asked_by if what and grant(role, TELLS_OF[what]) is None]
    if unread:
        raise NotAllowed(f"Your role does not read what `{unread[0]}` asks for.")


def _needs(clinic_id: UUID, what: str) -> ColumnElement[bool]:
    if what == INTEGRATION:
        return windows.needs_integration()
    if what == CHECK_IN:
        return plans.waits(clinic_id)
    standing = consents.standing(clinic_id, patients.patients.c.id, "treatment")
    return ~exists().where(*standing).correlate(patients.patients)
