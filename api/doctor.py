"""The doctor: looks at a clinic's server from the inside and says what is wrong, a line each."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from api import clock, db, field_keys, schema
from api.access import keys
from api.access.users import clinics, clinics_there
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
from api.core import beats, on_call
from api.core.alerts import overdue_since
from api.errors import Unsafe
from api.outbox import letters
from api.outbox.lag import oldest_due

OK, WARN, RED = "ok", "warn", "red"
LAG = timedelta(minutes=5)
"""How long something may be due before nobody can be doing it."""
BACKUP_AGE = timedelta(hours=48)
"""The age at which a backup no longer serves (HIPAA Security Rule, proposed 45 CFR 164.308)."""
LEAST_FREE = 0.10
"""The share of the disk that should be free."""
REVIEW_SOON = timedelta(days=30)


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it stands, and what to do if it does not stand well."""

    name: str
    level: str
    words: str


def examine(*names: str) -> Iterator[Finding]:
    """What is looked at, each by itself: one that fails does not hide the next.

    Without names everything of `LOOKS`.
    """
    for name in names or LOOKS:
        try:
            yield from (Finding(name, level, words) for level, words in LOOKS[name]())
        except (DBAPIError, Unsafe, OSError, ValueError) as problem:
            yield Finding(name, RED, f"could not be looked at ({type(problem).__name__})")


Seen = Iterator[tuple[str, str]]


def _schema() -> Seen:
    now, newest = db.schema_version(), schema.head()
    if now == newest:
        yield OK, f"at {now}"
    else:
        yield RED, f"at {now}, the newest is {newest}: flask --app wsgi migrate"


def _roles() -> Seen:
    with db.transaction() as store:
        if not store.on_postgres:
            yield OK, "SQLite: whoever may read the file reads the database"
            return
        asked = "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        superuser, bypasses = store.execute(text(asked)).one()
    if superuser or bypasses:
        yield RED, "the application's role is a superuser or passes over row-level security"
    else:
        yield OK, "the application's role has no more rights than it needs"


READS_CODES: Final = text("""
SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY(:schemas) AND c.relkind = 'r'
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, :right))
""")
READS_NAMES: Final = text(
    "SELECT has_column_privilege('public.patients', 'legal_family', 'SELECT')"
)


def _research() -> Seen:
    """Who may know which patient is which subject of a release."""
    with db.transaction() as store:
        if not store.on_postgres:
            yield OK, "SQLite: codes of subjects lie beside the charts, for whoever has the file"
            return
        is_read = store.execute(READS_CODES, _asked_of_codes("SELECT")).scalar_one()
    if is_read:
        yield (
            WARN,
            (
                "the role of DATABASE_URL reads which patient is which subject of every release:"
                " a role of its own and RESEARCH_DATABASE_URL keep them apart"
            ),
        )
    if settings().research_url:
        yield from _role_for_research()
    elif not is_read:
        yield OK, "codes of subjects are another role's; the worker needs RESEARCH_DATABASE_URL"


def _role_for_research() -> Seen:
    keeping, reading = db.keeping_engine(), db.reading_engine()
    try:
        with keeping.connect() as connection:
            keeps, removes = (
                connection.execute(READS_CODES, _asked_of_codes(right)).scalar_one()
                for right in ("INSERT", "DELETE")
            )
            keeps &= not connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one()
        with reading.connect() as connection:
            reads_names = connection.execute(READS_NAMES).scalar_one()
    finally:
        keeping.dispose()
        reading.dispose()
    if not keeps:
        yield RED, "RESEARCH_DATABASE_URL can't give codes: the primary, and `research grants`"
    elif not removes:
        yield WARN, "codes of charts that are removed can't be taken away: `research grants`"
    if reads_names:
        yield WARN, "rows of releases are read by a role that could read names"
    if keeps and removes and not reads_names:
        yield OK, "a role that reads no name makes releases and keeps the codes of subjects"


def _asked_of_codes(right: str) -> dict[str, Any]:
    return {"schemas": [*db.walls.APART.values()], "right": right}


def _keys() -> Seen:
    signing, field = len(keys.private_keys()), len(field_keys.key_ids())
    yield (
        OK,
        f"{signing} signing and {field} field keys, fingerprint {fingerprint(settings().keys)}",
    )
    if not settings().keys_copy:
        yield WARN, "KEYS_COPY_DIR is not set: nobody knows whether there is a copy of the keys"
    elif fingerprint(Path(settings().keys_copy)) != fingerprint(settings().keys):
        yield RED, "the copy of the keys is not what is in use: copy the folder of keys again"
    else:
        yield OK, "the copy of the keys is the same"


def fingerprint(folder: Path) -> str:
    """What tells one folder of keys from another, without telling a key: 16 hex digits."""
    whole = sha256()
    for path in sorted(folder.glob("*")):
        if path.is_file():
            whole.update(path.name.encode() + b"\0" + sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:16]


def _worker() -> Seen:
    with db.transaction():
        silent = beats.is_silent()
    if silent:
        yield RED, "no worker was heard of in the last minute: flask --app wsgi worker"
    else:
        yield OK, "heard of in the last minute"


def _lag(what: str, find: Callable[[], datetime | None]) -> Callable[[], Seen]:
    def look() -> Seen:
        with db.transaction():
            since = find()
        late = None if since is None else clock.now() - since
        if late is not None and late > LAG:
            yield RED, f"{what} has been due for {int(late.total_seconds() // 60)} minutes"
        else:
            yield OK, f"no {what} is late"

    return look


def _mail() -> Seen:
    if settings().smtp_host:
        yield OK, f"mails go to {settings().smtp_host}"
    elif settings().mode == "production":
        yield RED, "SMTP_HOST is not set: invitations and new passwords reach nobody"
    else:
        yield OK, "mails are written to mail.ndjson, where the data lie"
    if settings().smtp_host and not settings().app_url:
        yield WARN, "APP_URL is not set: mails hold a code to copy, and no link"
    with db.transaction() as store:
        since = letters.oldest_due(store)
    if since is not None and clock.now() - since > LAG:
        yield RED, "a mail has waited for more than 5 minutes"


def _second_factor() -> Seen:
    if settings().totp_required:
        yield OK, "staff sign in with a second factor alone"
    elif settings().mode == "production":
        yield WARN, "REQUIRE_TOTP is off: staff sign in by password alone"
    else:
        yield OK, "staff may sign in by password alone"


def _on_call() -> Seen:
    said = {
        on_call.NOBODY_ON_CALL: "in at least one clinic nobody is on call now",
        on_call.NO_CHANNEL: "in at least one clinic no channel is set by which to tell them",
    }
    with db.transaction():
        lacking = [said[code] for code in on_call.degraded() if code in said]
    yield from ((RED, words) for words in lacking)
    if not lacking:
        yield OK, "every clinic has somebody on call, and a channel"


def _crisis() -> Seen:
    with db.transaction() as store:
        rows = store.rows(select(clinics.c.name, clinics.c.crisis_resources))
    for row in rows:
        yield from _crisis_of(row["name"], row["crisis_resources"] or {})


def _crisis_of(name: str, resources: dict[str, Any]) -> Seen:
    if not resources:
        yield RED, f"{name} has no crisis resources: nobody in danger is told whom to call"
    today = clock.now().date()
    for locale, one in sorted(resources.items()):
        on = datetime.fromisoformat(one["review_on"]).date()
        if on < today:
            yield RED, f"{name}, {locale}: should have been looked at by {on}"
        elif on - today < REVIEW_SOON:
            yield WARN, f"{name}, {locale}: to be looked at by {on}"
        else:
            yield OK, f"{name}, {locale}: good until {on}"


def _backup() -> Seen:
    made_at = newest_checked(settings().backups)
    if made_at is None:
        yield RED, "no backup was ever checked: flask --app wsgi backup make --check"
        return
    age = datetime.now(UTC) - made_at
    hours = int(age.total_seconds() // 3600)
    yield (RED if age > BACKUP_AGE else OK), f"the newest that was checked is {hours} hours old"


def _chart_keys() -> Seen:
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


def _disk() -> Seen:
    used = shutil.disk_usage(settings().data)
    free = used.free / used.total
    words = f"{free:.0%} free where the data lie"
    yield (RED if free < LEAST_FREE else OK), words


LOOKS: dict[str, Callable[[], Seen]] = {
    "schema": _schema,
    "roles": _roles,
    "research": _research,
    "keys": _keys,
    "worker": _worker,
    "outbox": _lag("delivery", oldest_due),
    "alerts": _lag("escalation", overdue_since),
    "mail": _mail,
    "sign-in": _second_factor,
    "on call": _on_call,
    "crisis": _crisis,
    "backup": _backup,
    "keys of charts": _chart_keys,
    "disk": _disk,
}
