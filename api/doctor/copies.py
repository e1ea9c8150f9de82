"""What there is to restore from: backups, and copies of charts' keys."""

from datetime import UTC, datetime, timedelta
from typing import Final

from api import db
from api.access.users import clinics_there
from api.backups import (
    BadBackup,
    copies,
    newest_checked,
    newest_copy,
    orphaned,
    outdated,
    uncopied,
)
from api.config import settings
from api.doctor.seen import OK, RED, WARN, Seen

BACKUP_AGE: Final = timedelta(hours=48)
"""The age at which a backup no longer serves (HIPAA Security Rule, proposed 45 CFR 164.308)."""


def backup() -> Seen:
    """How old the newest backup is that was found whole."""
    made_at = newest_checked(settings().backups)
    if made_at is None:
        yield RED, "no backup was ever checked: flask --app wsgi backup make --check"
        return
    age = datetime.now(UTC) - made_at
    hours = int(age.total_seconds() // 3600)
    yield (RED if age > BACKUP_AGE else OK), f"the newest that was checked is {hours} hours old"


def chart_keys() -> Seen:
    """Whether charts' keys are there, and in the newest copy of them."""
    try:
        newest = newest_copy()
    except BadBackup as problem:
        yield RED, str(problem)
        return
    lacking = uncopied_there = 0
    with db.transaction() as store:
        for clinic_id in clinics_there(store):
            store.stand_in(clinic_id)
            lacking += orphaned(store.connection, clinic_id)
            uncopied_there += uncopied(store.connection, clinic_id, newest)
    if lacking:
        yield RED, f"{lacking} keys of charts are not there: their notes can't be opened"
    if newest.path is None:
        yield WARN, "no copy of charts' keys lies in CHART_KEY_DIR: `backup make` writes one"
    elif uncopied_there:
        yield WARN, f"{uncopied_there} keys of charts are not in the newest copy: `backup make`"
    if old := outdated(datetime.now(UTC)):
        words = "copies are older than CHART_KEY_DAYS: `backup make` removes them"
        yield WARN, f"{len(old)} {words}"
    if not (lacking or uncopied_there or old) and newest.path is not None:
        yield OK, f"all are there, and in the newest of {len(copies())} copies"
