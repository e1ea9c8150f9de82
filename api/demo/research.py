"""Research in the demo: most patients agreed; one project and one release. All synthetic."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import update

from api import clock, db
from api.core.consents import consents
from api.core.integration.tables import RESEARCH, goals, moments, practices, steps
from api.core.release.deidentify import POLICY_VERSION
from api.core.release.freezing import make_next
from api.core.release.tables import (
    DEIDENTIFIED,
    research_members,
    research_projects,
    research_releases,
)
from api.demo.people import ZONE, Cast
from api.demo.survey import BASELINE_DAYS_AGO

AGREED = 200
"""How many of the patients agreed to research; of them every other shares what they practise."""
TEXT_VERSION = "2026-01"
OFFICER, ANALYST = "privacy@demo.example", "analyst@demo.example"
WITNESS = "clinician@demo.example"
TITLE = "Practice after ketamine (demo)"
PURPOSE = "Whether practice in the window goes with lasting response. Synthetic data."


def load(cast: Cast, say: Callable[[str], None]) -> None:
    """Consents to research, what is shared for it, a project, and a release that is asked for."""
    agreed = [patient["id"] for patient in [*cast.patients.values()][:AGREED]]
    _agree(cast, agreed)
    for table in (goals, practices, steps, moments):
        mine = (table.c.clinic_id == cast.clinic_id, table.c.patient_id.in_(agreed[::2]))
        shared = {"shared_with": RESEARCH, "chosen_sharing": RESEARCH}
        db.store().execute(update(table).where(*mine).values(shared))
    _ask(cast)
    say(f"  {len(agreed)} consents to research, and a project for analyst@")


def release(say: Callable[[str], None]) -> None:
    """Make the release that was asked for."""
    make_next()
    say("  the first release of the project")


def _agree(cast: Cast, agreed: list[object]) -> None:
    day = clock.today(ZONE) - timedelta(days=BASELINE_DAYS_AGO)
    at = datetime.combine(day, time(15), ZoneInfo(ZONE))
    by = {"witnessed_by": cast.staff[WITNESS], "recorded_by": cast.staff[WITNESS]}
    given = {"kind": "research", "text_version": TEXT_VERSION, "granted_at": at}
    for patient_id in agreed:
        keys = {"clinic_id": cast.clinic_id, "patient_id": patient_id}
        db.store().add(consents, keys | by | given)


def _ask(cast: Cast) -> None:
    keys = {"clinic_id": cast.clinic_id}
    told = {"title": TITLE, "purpose": PURPOSE, "state": "open", "policy_version": POLICY_VERSION}
    opened = {"opened_by": cast.staff[OFFICER]}
    tier = {"tier": DEIDENTIFIED}
    project = db.store().add(research_projects, keys | told | opened | tier)
    of = keys | {"project_id": project["id"]}
    member = of | {"analyst_id": cast.staff[ANALYST], "added_at": clock.now()}
    db.store().execute(research_members.insert().values(**member))
    asked = {"number": 1, "state": "waiting", "requested_by": cast.staff[ANALYST]}
    empty = {"progress_percent": 0, "refused_for": [], "collapsed": {}}
    db.store().add(research_releases, of | asked | empty | tier)
