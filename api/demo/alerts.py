"""The alerts of the demo: those of old answers, which the team has looked through but for three."""

from collections.abc import Callable

from sqlalchemy import select

from api import clock, db
from api.core.alerts import alerts
from api.demo.people import Cast

LEFT = 3
"""How many are left open, for a visitor to attend to."""
LOOKED_THROUGH_BY = "clinician@demo.example"
NOTE = "Looked through with the import; spoken about at the intake (synthetic)."


def load(cast: Cast, say: Callable[[str], None]) -> None:
    """Resolve every historical alert but the first few."""
    mine = (alerts.c.clinic_id == cast.clinic_id, alerts.c.historical)
    statement = select(alerts).where(*mine).order_by(alerts.c.raised_at, alerts.c.id)
    rows = db.store().rows(statement, opens=alerts)
    for row in rows[LEFT:]:
        _resolve(cast, row)
    say(f"  {len(rows)} alerts of old answers, {LEFT} of them open")


def _resolve(cast: Cast, row: db.Values) -> None:
    by, now = cast.staff[LOOKED_THROUGH_BY], clock.now()
    changes = {
        "state": "resolved",
        **{"acknowledged_at": now, "acknowledged_by": by, "acknowledge_note": NOTE},
        **{"resolved_at": now, "resolved_by": by, "resolve_note": NOTE},
        "disposition": "no_present_danger",
    }
    db.store().change(alerts, row, changes)
