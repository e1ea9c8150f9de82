"""Every setting, with its unit and default, read once from the environment; unsafe ones refuse."""

import os
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from api.errors import Unsafe

LEAST_DAYS, MOST_DAYS = 7, 3650
"""How long events may be kept: past the three days of a delivery, and not for ever."""
MOST_BODY_SECONDS, MOST_HOPS = 60, 5
MOST_DRAIN_S = 60
"""How long a server may go on after it was told to end: whoever told it waits no longer."""
MOST_HOURS, MOST_IDLE = 24, 30
"""How long a sign-in may be let stand, in hours, and idle, in minutes (NIST SP 800-63B)."""
MODES = ("production", "demo", "test")
SMTP_TLS = ("starttls", "tls", "none")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True)
class Settings:
    """What may be set. The environment variable is named in each field's metadata."""

    mode: str = field(default="production", metadata={"env": "FRESHTRAIL_MODE"})
    data: Path = field(default=Path("var"), metadata={"env": "FRESHTRAIL_DATA"})
    database_url: str = field(default="", metadata={"env": "DATABASE_URL"})
    migration_database_url: str = field(default="", metadata={"env": "MIGRATION_DATABASE_URL"})
    clock: str = field(default="", metadata={"env": "FRESHTRAIL_CLOCK"})
    host: str = field(default="127.0.0.1", metadata={"env": "HOST"})
    port: int = field(default=8000, metadata={"env": "PORT"})
    workers: int = field(default=2, metadata={"env": "WEB_WORKERS"})
    threads: int = field(default=4, metadata={"env": "WEB_THREADS"})
    public_url: str = field(default="", metadata={"env": "PUBLIC_URL"})
    issuer: str = field(default="https://freshtrail.example", metadata={"env": "TOKEN_ISSUER"})
    audience: str = field(default="freshtrail-v1", metadata={"env": "TOKEN_AUDIENCE"})
    access_minutes: int = field(default=10, metadata={"env": "ACCESS_TOKEN_MINUTES"})
    sign_in_hours: int = field(default=12, metadata={"env": "SIGN_IN_HOURS"})
    idle_staff: int = field(default=15, metadata={"env": "IDLE_MINUTES_STAFF"})
    idle_patient: int = field(default=30, metadata={"env": "IDLE_MINUTES_PATIENT"})
    require_totp: str = field(default="", metadata={"env": "REQUIRE_TOTP"})
    reset_hours: int = field(default=-1, metadata={"env": "MFA_RESET_HOURS"})
    purge_hours: int = field(default=-1, metadata={"env": "PURGE_WAIT_HOURS"})
    cors_origins: str = field(default="", metadata={"env": "CORS_ORIGINS"})
    rate_principal: int = field(default=1200, metadata={"env": "RATE_PER_PRINCIPAL"})
    rate_clinic: int = field(default=12000, metadata={"env": "RATE_PER_CLINIC"})
    rate_sign_in: int = field(default=5, metadata={"env": "RATE_SIGN_IN"})
    rate_limit_url: str = field(default="", metadata={"env": "RATE_LIMIT_URL"})
    client_alarm_times: int = field(default=5, metadata={"env": "CLIENT_ALARM_TIMES"})
    client_alarm_floor: int = field(default=50, metadata={"env": "CLIENT_ALARM_FLOOR"})
    body_kib: int = field(default=256, metadata={"env": "MAX_BODY_KIB"})
    drain: int = field(default=-1, metadata={"env": "DRAIN_S"})
    body_seconds: int = field(default=8, metadata={"env": "BODY_SECONDS"})
    trusted_hops: int = field(default=0, metadata={"env": "TRUSTED_HOPS"})
    trusted_hosts: str = field(default="", metadata={"env": "TRUSTED_HOSTS"})
    backdate_days: int = field(default=90, metadata={"env": "STEP_BACKDATE_DAYS"})
    idempotency_hours: int = field(default=24, metadata={"env": "IDEMPOTENCY_HOURS"})
    keep_events_days: int = field(default=90, metadata={"env": "KEEP_EVENTS_DAYS"})
    research_url: str = field(default="", metadata={"env": "RESEARCH_DATABASE_URL"})
    replica_url: str = field(default="", metadata={"env": "REPLICA_URL"})
    release_spacing: int = field(default=-1, metadata={"env": "RELEASE_SPACING_DAYS"})
    egress_allow: str = field(default="", metadata={"env": "FRESHTRAIL_EGRESS_ALLOW"})
    smtp_host: str = field(default="", metadata={"env": "SMTP_HOST"})
    smtp_port: int = field(default=587, metadata={"env": "SMTP_PORT"})
    smtp_tls: str = field(default="starttls", metadata={"env": "SMTP_TLS"})
    smtp_user: str = field(default="", metadata={"env": "SMTP_USER"})
    smtp_password: str = field(default="", repr=False, metadata={"env": "SMTP_PASSWORD"})
    smtp_ca: str = field(default="", metadata={"env": "SMTP_CA_FILE"})
    mail_from: str = field(default="", metadata={"env": "MAIL_FROM"})
    app_url: str = field(default="", metadata={"env": "APP_URL"})
    log_level: str = field(default="warning", metadata={"env": "LOG_LEVEL"})
    metrics_port: int = field(default=0, metadata={"env": "METRICS_PORT"})
    backup_dir: str = field(default="", metadata={"env": "BACKUP_DIR"})
    backup_url: str = field(default="", metadata={"env": "BACKUP_DATABASE_URL"})
    checkpoint_dir: str = field(default="", metadata={"env": "CHECKPOINT_DIR"})
    chart_keys: str = field(default="on", metadata={"env": "CHART_KEYS"})
    chart_key_dir: str = field(default="", metadata={"env": "CHART_KEY_DIR"})
    chart_key_days: int = field(default=7, metadata={"env": "CHART_KEY_DAYS"})
    keys_copy: str = field(default="", metadata={"env": "KEYS_COPY_DIR"})
    security_contact: str = field(
        default="mailto:security@freshtrail.example", metadata={"env": "SECURITY_CONTACT"}
    )

    @property
    def url(self) -> str:
        """The database's address; without one, an SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{(self.data / 'freshtrail.sqlite').resolve()}"

    @property
    def spacing_days(self) -> int:
        """The least days between two releases of a project; none in demo and test mode."""
        if self.release_spacing >= 0:
            return self.release_spacing
        return 365 if self.mode == "production" else 0

    @property
    def owner_url(self) -> str:
        """The database as whoever owns its tables reaches it; without one, as everybody does."""
        return self.migration_database_url or self.url

    @property
    def totp_required(self) -> bool:
        """Whether staff sign in with a second factor alone: in production, unless it says `off`."""
        return (self.require_totp or ("on" if self.mode == "production" else "off")) == "on"

    @property
    def reset_wait_hours(self) -> int:
        """Hours between asking and agreeing to remove a colleague's second factor."""
        return self._wait(self.reset_hours)

    @property
    def purge_wait_hours(self) -> int:
        """Hours between agreeing to remove a chart and its removal."""
        return self._wait(self.purge_hours)

    def _wait(self, said: int) -> int:
        """What was said, else a day in production and nothing elsewhere."""
        return said if said >= 0 else 24 if self.mode == "production" else 0

    @property
    def drain_seconds(self) -> int:
        """Seconds from being told to end until it does, in which it says that it is not ready."""
        return self.drain if self.drain >= 0 else 5 if self.mode == "production" else 0

    @cached_property  # asked at every request
    def keys(self) -> Path:
        """The folder of signing and field keys; never inside the database, never committed."""
        return self.data / "keys"

    @property
    def metrics(self) -> Path:
        """The folder in which the workers count together."""
        return self.data / "metrics"

    @property
    def checkpoints(self) -> Path:
        """The folder of the audit trail's checkpoints; best on another disk, shipped elsewhere."""
        return Path(self.checkpoint_dir) if self.checkpoint_dir else self.data / "checkpoints"

    @property
    def backups(self) -> Path:
        """The folder of backups."""
        return Path(self.backup_dir) if self.backup_dir else self.data / "backups"

    @property
    def chart_key_copies(self) -> Path:
        """The folder of the copies of charts' keys, apart from the backups that they open."""
        return Path(self.chart_key_dir) if self.chart_key_dir else self.data / "chart-keys"

    @property
    def origins(self) -> list[str]:
        """The browser origins that may call, from a comma-separated list."""
        return [origin.strip() for origin in self.cors_origins.split(",") if origin.strip()]

    @cached_property  # asked at every request
    def hosts(self) -> frozenset[str]:
        """The names by which we may be asked, in small letters; none: by any."""
        return frozenset(
            each.strip().lower() for each in self.trusted_hosts.split(",") if each.strip()
        )

    @property
    def egress(self) -> frozenset[str]:
        """The `host:port` that webhooks may reach although they are not outside."""
        return frozenset(each.strip() for each in self.egress_allow.split(",") if each.strip())


def from_environment(environ: "os._Environ[str] | dict[str, str]" = os.environ) -> Settings:
    """Settings as the environment has them; raises `Unsafe` on what can't be served with."""
    given: dict[str, Any] = {}
    for f in fields(Settings):
        text = environ.get(f.metadata["env"], "")
        if text:
            given[f.name] = _read(f.metadata["env"], text, type(f.default))
    return _checked(Settings(**given))


def _read(name: str, text: str, kind: type) -> object:
    if kind is int:
        if not text.isascii() or not text.isdigit():
            raise Unsafe(f"{name} must be a whole number, not {text!r}.")
        return int(text)
    return Path(text) if issubclass(kind, Path) else text


def _check_edge(settings: Settings) -> None:
    if not 1 <= settings.body_seconds <= MOST_BODY_SECONDS:
        raise Unsafe(f"BODY_SECONDS must lie between 1 and {MOST_BODY_SECONDS}.")
    if settings.drain > MOST_DRAIN_S:
        raise Unsafe(f"DRAIN_S is at most {MOST_DRAIN_S} seconds.")
    if settings.trusted_hops > MOST_HOPS:
        raise Unsafe(
            f"TRUSTED_HOPS is how many proxies of yours stand before us: 0 to {MOST_HOPS}."
        )


def _check_alarms(settings: Settings) -> None:
    if settings.client_alarm_times < 2 or settings.client_alarm_floor < 1:
        raise Unsafe("CLIENT_ALARM_TIMES is at least 2, and CLIENT_ALARM_FLOOR at least 1.")


def _check_mail(settings: Settings) -> None:
    if settings.smtp_host and "@" not in settings.mail_from:
        raise Unsafe("MAIL_FROM must be the address that mails come from, once SMTP_HOST is set.")
    if settings.smtp_tls == "none" and settings.smtp_host not in ("", *LOOPBACK):
        raise Unsafe("SMTP_TLS=none sends one-time tokens in the clear: for this machine alone.")
    if settings.app_url and not settings.app_url.startswith(("https://", "http://")):
        raise Unsafe("APP_URL must be the absolute address of the front end that mails link to.")


def _check_sign_ins(settings: Settings) -> None:
    if not 1 <= settings.sign_in_hours <= MOST_HOURS:
        raise Unsafe(f"SIGN_IN_HOURS must lie between 1 and {MOST_HOURS}.")
    for name, minutes in (
        ("IDLE_MINUTES_STAFF", settings.idle_staff),
        ("IDLE_MINUTES_PATIENT", settings.idle_patient),
    ):
        if not 1 <= minutes <= MOST_IDLE:
            raise Unsafe(f"{name} must lie between 1 and {MOST_IDLE}: it may only be shortened.")


def _check_days(settings: Settings) -> None:
    if not LEAST_DAYS <= settings.keep_events_days <= MOST_DAYS:
        raise Unsafe(f"KEEP_EVENTS_DAYS must lie between {LEAST_DAYS} and {MOST_DAYS}.")
    if not 1 <= settings.chart_key_days <= MOST_DAYS:
        raise Unsafe(f"CHART_KEY_DAYS must lie between 1 and {MOST_DAYS}.")
    keys, backups = settings.chart_key_copies.resolve(), settings.backups.resolve()
    if keys.is_relative_to(backups) or backups.is_relative_to(keys):
        raise Unsafe("CHART_KEY_DIR and BACKUP_DIR must lie apart: one is kept, the other is not.")


def _checked(settings: Settings) -> Settings:
    _check_words(settings)
    if settings.clock and settings.mode == "production":
        raise Unsafe("FRESHTRAIL_CLOCK moves time and is for demo and test mode alone.")
    if settings.clock and datetime.fromisoformat(settings.clock).tzinfo is None:
        raise Unsafe("FRESHTRAIL_CLOCK must be an RFC 3339 instant with its offset.")
    if settings.egress_allow and settings.mode == "production":
        raise Unsafe("FRESHTRAIL_EGRESS_ALLOW opens our own walls: for demo and test mode alone.")
    if settings.url.startswith("postgresql://"):
        raise Unsafe("DATABASE_URL must name its driver: postgresql+psycopg://...")
    if settings.public_url and not settings.public_url.startswith(("https://", "http://")):
        raise Unsafe("PUBLIC_URL must be the absolute address under which clients reach this.")
    if not 1 <= settings.access_minutes <= 15:
        raise Unsafe("ACCESS_TOKEN_MINUTES must lie between 1 and 15.")
    _check_edge(settings)
    _check_alarms(settings)
    _check_sign_ins(settings)
    _check_mail(settings)
    _check_days(settings)
    _refuse_close_releases(settings)
    return settings


def _check_words(settings: Settings) -> None:
    for name, given, known in (
        ("FRESHTRAIL_MODE", settings.mode, MODES),
        ("LOG_LEVEL", settings.log_level, LOG_LEVELS),
        ("SMTP_TLS", settings.smtp_tls, SMTP_TLS),
        ("CHART_KEYS", settings.chart_keys, ("on", "later")),
        ("REQUIRE_TOTP", settings.require_totp or "on", ("on", "off")),
    ):
        if given not in known:
            raise Unsafe(f"{name} must be one of {', '.join(known)}.")


def _refuse_close_releases(settings: Settings) -> None:
    if settings.mode == "production" and settings.spacing_days < 1:
        raise Unsafe("RELEASE_SPACING_DAYS is at least 1: releases side by side tell of people.")


@cache
def settings() -> Settings:
    """The settings of this process, read at the first call."""
    return from_environment()
