"""Expiring: files of limited data sets go with the last agreement by which they could be read.

Nobody reads them from that moment on anyhow (`agreed`); the worker of each machine clears its own
disk. The frozen rows stay, sealed, and give the files again under a new agreement.
"""

from typing import Any

from sqlalchemy import Select, select

from api.audit import trail
from api.core import clocks
from api.core.release import agreed, shelf, trailing
from api.core.release.tables import LIMITED, READY, research_agreements, research_releases
from api.db import Values, store


def discard_expired() -> bool:
    """Throw away the files of one limited data set that no agreement opens any more."""
    r = research_releases.c
    of = [clocks.here(research_releases), r.tier == LIMITED, r.state == READY]
    shut = select(research_releases).where(*of, ~agreed.any_stands(r.clinic_id, r.project_id))
    for release in store().rows(shut.order_by(r.id)):
        if shelf.folder(release).exists():
            shelf.remove(release)
            store().append(
                trail.audit_events, [trailing.event(release, "discard", _words(release))]
            )
            return True
    return False


def _clinics_with_limited() -> Select[Any]:
    r = research_releases.c
    return select(r.clinic_id).where(r.tier == LIMITED, r.state == READY).distinct()


clocks.DUE.append(discard_expired)
clocks.WHERE[discard_expired] = _clinics_with_limited


def _words(release: Values) -> list[str]:
    """Whose files went, and which agreement was the last to end."""
    a = research_agreements.c
    of = [a.clinic_id == release["clinic_id"], a.project_id == release["project_id"]]
    last = store().row(select(a.id).where(*of).order_by(a.expires_on.desc(), a.id.desc()).limit(1))
    named = [] if last is None else [f"agreement:{last['id']}"]
    return [f"project:{release['project_id']}", "files", f"release:{release['number']}", *named]
