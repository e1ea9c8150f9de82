"""The doctor: looks at a clinic's server from the inside and says what is wrong, a line each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from api import clock, db, field_keys, schema
from api.access import keys
from api.access.users import clinics
from api.config import settings
from api.core import beats, on_call, resealing
from api.core.alerts import overdue_since
from api.doctor.codes import research
from api.doctor.copies import backup, chart_keys
from api.doctor.disks import disk
from api.doctor.roles import roles
from api.doctor.sealing import trail
from api.doctor.seen import LAG, OK as OK, RED as RED, WARN as WARN, Seen
from api.doctor.standing import officers, suspended
from api.errors import Unsafe
from api.outbox import letters
from api.outbox.lag import oldest_due

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


def _schema() -> Seen:
    now, newest = db.schema_version(), schema.head()
    if now == newest:
        yield OK, f"at {now}"
    else:
        yield RED, f"at {now}, the newest is {newest}: flask --app wsgi migrate"


def _keys() -> Seen:
    try:
        keys.check()
    except Unsafe as problem:
        yield RED, str(problem)
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
    if clear := resealing.in_clear():
        yield WARN, f"{clear} charts hold words in clear: flask --app wsgi keys reseal"


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
    is_production = settings().mode == "production"
    if settings().totp_required:
        yield OK, "staff sign in with a second factor alone"
    else:
        said = "REQUIRE_TOTP is off: staff sign in by password alone"
        yield (WARN, said) if is_production else (OK, "staff may sign in by password alone")
    if is_production and settings().reset_wait_hours == 0:
        yield WARN, "MFA_RESET_HOURS is 0: a second factor is removed as soon as two agree"


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


LOOKS: dict[str, Callable[[], Seen]] = {
    "schema": _schema,
    "roles": roles,
    "research": research,
    "keys": _keys,
    "worker": _worker,
    "trail": trail,
    "outbox": _lag("delivery", oldest_due),
    "alerts": _lag("escalation", overdue_since),
    "mail": _mail,
    "sign-in": _second_factor,
    "on call": _on_call,
    "officers": officers,
    "suspended": suspended,
    "crisis": _crisis,
    "backup": backup,
    "keys of charts": chart_keys,
    "disk": disk,
}
