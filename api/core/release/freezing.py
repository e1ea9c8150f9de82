"""Freezing: the worker makes a release from one moment of the database, or says by which rule not.

Nothing is published before the consent of everybody in it was asked for once more; if somebody
withdrew meanwhile, all of it is made anew.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from api import clock
from api.audit import trail
from api.config import settings
from api.core import clocks
from api.core.release import (
    agreed,
    codes,
    cohort,
    cube,
    deidentify as d,
    frozen,
    limited,
    package,
    shelf,
    trailing,
)
from api.core.release.anonymity import QUASI
from api.core.release.choosing import Chosen, choose
from api.core.release.gathering import gather
from api.core.release.shapes import shapes
from api.core.release.snapshot import Snapshot, batches, snapshot
from api.core.release.tables import (
    FAILED,
    LIMITED,
    READY,
    REFUSED,
    RUNNING,
    WAITING,
    research_projects,
    research_releases,
)
from api.db import Store, Values, found, store, transaction, within

log = logging.getLogger("freshtrail.research")
LEAST_SUBJECTS: Final = 50
"""A smaller cohort is not told row by row at all."""
LEASE: Final = timedelta(minutes=30)
TRIES: Final = 5
"""How often a release is begun anew because somebody withdrew while it was made."""
TOO_FEW, CONSENT_MOVED, NOT_AGREED = REASONS = (
    "cohort_too_small",
    "consent_withdrawn_meanwhile",
    "no_agreement_in_force",
)
"""Why a release was refused."""


def make_next() -> bool:
    """Make the next release that is waited for, if there is one; it may take minutes."""
    with within(finding=True), transaction() as finding:
        waiting = [row["clinic_id"] for row in finding.rows(_waiting())]
    for clinic_id in waiting:
        with within(clinic_id):
            if _make_next_of():
                return True
    return False


def _make_next_of() -> bool:
    with transaction():
        release = _claim()
    if release is None:
        return False
    try:
        _make(release)
    except Exception:
        log.exception("a release could not be made", extra={"release_id": str(release["id"])})
        _end(release, FAILED, {})
    return True


clocks.LONG.append(make_next)


def _claim() -> Values | None:
    """The oldest release that nobody is making, with a lease on it."""
    r, now = research_releases.c, clock.now()
    free = select(research_releases).where(clocks.here(research_releases), _is_free())
    row = store().row(free.order_by(r.id).limit(1).with_for_update(skip_locked=True))
    if row is None:
        return None
    held = {"state": RUNNING, "started_at": now, "lease_until": now + LEASE}
    return store().change(research_releases, row, held)


def _is_free() -> ColumnElement[bool]:
    r = research_releases.c
    return or_(r.state == WAITING, and_(r.state == RUNNING, r.lease_until < clock.now()))


def _waiting() -> Select[Any]:
    """The clinics in which a release waits, the one that waits longest first."""
    r = research_releases.c
    return (
        select(r.clinic_id).where(_is_free()).group_by(r.clinic_id).order_by(func.min(r.created_at))
    )


def _make(release: Values) -> None:
    for _ in range(TRIES):
        with transaction() as open_store:
            frozen.clear(open_store, release)
            agreement = _agreement(open_store, release)
        codes.give_codes(release["clinic_id"], release["project_id"])
        if release["tier"] == LIMITED and agreement is None:
            return _end(release, REFUSED, {"refused_for": [NOT_AGREED]})
        made = _freeze(release, agreement)
        if made is None:
            return _end(release, REFUSED, {"refused_for": [TOO_FEW]})
        if _publish(release, made):
            return None
    return _end(release, REFUSED, {"refused_for": [CONSENT_MOVED]})


def _agreement(open_store: Store, release: Values) -> Values | None:
    """The agreement under which whoever asked may read a limited data set today."""
    if release["tier"] != LIMITED:
        return None
    return agreed.in_force(_project(open_store, release), release["requested_by"])


@dataclass
class Made:
    """Rows that were copied, of one moment: of whom, and by which agreement."""

    chosen: Chosen
    collapsed: frozen.Collapsed
    frozen_at: Any
    agreement: Values | None


def _freeze(release: Values, agreement: Values | None) -> Made | None:
    """Copy the rows; None, where too few would be told."""
    clinic_id = release["clinic_id"]
    with snapshot() as snap:
        frozen_at = clock.now()
        chosen = _choose(snap, release, agreement)
        if len(chosen.people) < LEAST_SUBJECTS:
            return None
        copying, done = frozen.Copying(release), 0
        for people in batches(chosen.people):
            if agreement is None:
                copying.take(gather(snap, clinic_id, people, chosen.patterns))
            else:
                copying.take(limited.gather(snap, clinic_id, people))
            done += len(people)
            _say(release, done * 80 // len(chosen.people))
        return Made(chosen, copying.end(), frozen_at, agreement)


def _choose(snap: Snapshot, release: Values, agreement: Values | None) -> Chosen:
    if agreement is None:
        return choose(snap, release)
    people = limited.people(snap, release, agreement["consent_text_versions"])
    return Chosen(people, (), {}, suppressed={})


def _publish(release: Values, made: Made) -> bool:
    """Write the files, then say that the release is there; False when somebody withdrew."""
    release = release | {"collapsed": made.collapsed}
    counts = shelf.make(release, lambda percent: _say(release, 80 + percent // 5))
    aggregates = cube.reckon(release) if made.agreement is None else None
    ids = [person.patient_id for person in made.chosen.people]
    with transaction() as open_store:
        if _moved(open_store, release, made, ids):
            return False
        project = _project(open_store, release)
        told = _told(release, made.chosen, counts) | _under(made.agreement)
        values = {
            "state": READY,
            "frozen_at": made.frozen_at,
            "finished_at": clock.now(),
            "lease_until": None,
            "progress_percent": 100,
            "levels": list(made.chosen.levels),
            "collapsed": made.collapsed,
            "manifest": package.manifest(project, release, told),
            "cube": aggregates,
        }
        open_store.change(research_releases, _again(open_store, release), values)
        _audit(open_store, release, values["manifest"], ids)
    return True


def _moved(open_store: Store, release: Values, made: Made, ids: Sequence[UUID]) -> bool:
    """Whether somebody withdrew meanwhile, or the agreement that stood ended."""
    if any(True for _ in cohort.withdrawn(open_store, release["clinic_id"], ids)):
        return True
    if made.agreement is None:
        return False
    now = _agreement(open_store, release)
    if now is None or now["id"] != made.agreement["id"]:
        return True
    texts = made.agreement["consent_text_versions"]
    return not set(ids) <= limited.agree(open_store, release["clinic_id"], texts)


def _under(agreement: Values | None) -> Values:
    """What the manifest of a limited data set tells beside: by which agreement; it has no k."""
    if agreement is None:
        return {}
    nothing = dict.fromkeys(("k", "l", "k_of_visits", "cube_version"))
    told: Values = {
        "levels": {},
        "suppressed": [],
        "rare_words_collapsed": [],
        "quasi_identifiers": [],
    }
    return nothing | told | {"agreement_id": str(agreement["id"]), "spacing_days": 0}


def _told(release: Values, chosen: Chosen, counts: Mapping[str, int]) -> Values:
    """What the manifest tells of who is in it: counts under eleven only as such."""
    return {
        "released_on": clock.now().date().isoformat(),
        "subjects": d.masked(len(chosen.people)),
        "k": chosen.k,
        "l": chosen.l,
        "k_of_visits": chosen.k_of_visits,
        "quasi_identifiers": list(QUASI),
        "levels": dict(zip(QUASI, chosen.levels, strict=False)),
        "suppressed": [
            {"rule": rule, "subjects": d.masked(count)}
            for rule, count in sorted(chosen.suppressed.items())
        ],
        "rare_words_collapsed": sorted(
            f"{shape.name}.{one.name}"
            for shape in shapes().values()
            for one in shape.fields
            if one.rare is not None
        ),
        "spacing_days": settings().spacing_days,
        "cube_version": cube.VERSION,
        "files": package.listed(shelf.folder(release), counts),
    }


def _project(open_store: Store, release: Values) -> Values:
    p = research_projects.c
    mine = [p.clinic_id == release["clinic_id"], p.id == release["project_id"]]
    return found(open_store.row(select(research_projects).where(*mine)))


def _again(open_store: Store, release: Values) -> Values:
    """The release as it stands: its version rose with its progress."""
    r = research_releases.c
    mine = [r.clinic_id == release["clinic_id"], r.id == release["id"]]
    return found(open_store.row(select(research_releases).where(*mine)))


def _say(release: Values, percent: int) -> None:
    """How far it is; nobody is told twice."""
    with transaction() as open_store:
        row = _again(open_store, release)
        if row["progress_percent"] < percent:
            lease = {"progress_percent": percent, "lease_until": clock.now() + LEASE}
            open_store.change(research_releases, row, lease)


def _end(release: Values, state: str, more: Values) -> None:
    """There will be no such release; its rows are forgotten."""
    shelf.remove(release)
    with transaction() as open_store:
        frozen.clear(open_store, release)
        ended = {"state": state, "finished_at": clock.now(), "lease_until": None}
        open_store.change(research_releases, _again(open_store, release), ended | more)


def _audit(open_store: Store, release: Values, manifest: Values, ids: Sequence[UUID]) -> None:
    """One event of the release, with every patient in it, so that their access log tells them."""
    words = trailing.words_of(release, manifest)
    event = trailing.event(release, "publish", words, release["requested_by"])
    open_store.append(trail.audit_events, [event])
    keys = {"clinic_id": release["clinic_id"], "event_id": event["id"]}
    for some in batches(ids):
        open_store.append(trail.audit_event_patients, [keys | {"patient_id": one} for one in some])
