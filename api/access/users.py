"""People who sign in: accounts with their password, and users, one for each clinic and role."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    select,
    text,
)

from api import clock, vault
from api.access.policies import Role
from api.db import (
    Instant,
    Sealed,
    Store,
    Values,
    metadata,
    of,
    store as current_store,
    tenant_table,
)

OWN_EHR, CONSENTED = EHR_ACCESS = ("own_ehr", "consented")
LONGEST_RETENTION = "11"
"""Years; of the states that name a term North Carolina has the longest."""

clinics = Table(
    "clinics",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False, default=1),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("name", String(200), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("crisis_resources", JSON, nullable=False),
    Column("is_demo", Boolean(create_constraint=True, name="is_demo"), nullable=False),
    Column("ehr_access", String(20), nullable=False, server_default=CONSENTED),
    Column("retention_years", Integer, nullable=False, server_default=text(LONGEST_RETENTION)),
    Column("suspended_at", Instant),
    Column("unrelated_until", Date),
    Column("volumes_until", Date),
)
"""`ehr_access` is which charts an EHR client reaches beside those that carry an identifier of
its own system: all (`own_ehr`), or those whose patient consents to `ehr_sharing`. For
`retention_years` after a patient was last seen the law has the clinic keep the record.
Since `suspended_at` it is read, and not written. Up to `unrelated_until` and `volumes_until`
(days, UTC) the worker has looked through the trail: for charts opened from afar, and for how many
each EHR client touched."""
accounts = Table(
    "accounts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("created_at", Instant, nullable=False),
    Column("email_blind", String(64), nullable=False, unique=True),
    Column("email", Sealed, nullable=False),
    Column("password_hash", Text),
)
users = tenant_table(
    "users",
    Column("account_id", Uuid, nullable=False),
    Column("role", String(20), nullable=False),
    Column("display_name", String(200), nullable=False),
    Column("patient_id", Uuid),
    Column("profession", String(20)),
    Column("privileges", JSON, nullable=False),
    Column("preferences", JSON, nullable=False),
    Column("locale", String(35), nullable=False),
    Column("security_version", Integer, nullable=False),
    Column("disabled_at", Instant),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    of("patients", "patient_id"),
    UniqueConstraint("clinic_id", "account_id"),
    UniqueConstraint("clinic_id", "patient_id"),
    CheckConstraint("(role = 'patient') = (patient_id IS NOT NULL)", name="patient_has_chart"),
    patient=False,
)
Index("ix_users_account", users.c.account_id)
sign_ins = Table(
    "sign_ins",
    metadata,
    Column("id", Uuid, nullable=False),
    Column("clinic_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("security_version", Integer, nullable=False),
    Column("auth_time", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column("awake_until", Instant),
    PrimaryKeyConstraint("id"),
    ForeignKeyConstraint(["clinic_id", "user_id"], ["users.clinic_id", "users.id"]),
)
"""`awake_until` is when it ends unless somebody does something; null in what an older server
opened, which stands until `ends_at`."""
Index("ix_sign_ins_user", sign_ins.c.clinic_id, sign_ins.c.user_id)
refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("sign_in_id", Uuid, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("used_at", Instant),
    Column("successor_hash", String(64)),
    Column("successor", Sealed(bound_to="hash")),
    Column("used_with_key", String(64)),
    ForeignKeyConstraint(["sign_in_id"], ["sign_ins.id"]),
)
Index("ix_refresh_tokens_sign_in", refresh_tokens.c.sign_in_id)
invitations = tenant_table(
    "invitations",
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("email", Sealed, nullable=False),
    Column("role", String(20), nullable=False),
    Column("display_name", String(200), nullable=False),
    Column("profession", String(20)),
    Column("privileges", JSON, nullable=False),
    Column("for_patient_id", Uuid),
    Column("invited_by", Uuid),
    Column("expires_at", Instant, nullable=False),
    Column("accepted_at", Instant),
    of("patients", "for_patient_id"),
    patient=False,
)
password_resets = Table(
    "password_resets",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("account_id", Uuid),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
)
"""One-time tokens; without an account it is the trace of a wish for an address that has none."""


def clinics_there(store: Store) -> list[UUID]:
    """The ids of every clinic, for what looks at one after the other."""
    return [row[0] for row in store.execute(select(clinics.c.id).order_by(clinics.c.id))]


def stand_in_clinic_of(store: Store, sign_in_id: UUID) -> None:
    """Let the clinic of a sign-in be meant from now on, where only its id is known."""
    row = store.row(select(sign_ins.c.clinic_id).where(sign_ins.c.id == sign_in_id))
    if row is not None:
        store.stand_in(row["clinic_id"])


def blind_email(email: str) -> str:
    """The index under which an account is found."""
    return vault.blind(email.strip(), "accounts.email")


def find_account(store: Store, email: str) -> Values | None:
    """The account of an e-mail address, or None."""
    return store.row(select(accounts).where(accounts.c.email_blind == blind_email(email)))


def make_account(store: Store, account_id: UUID, email: str, password_hash: str | None) -> Values:
    """A new account; nobody can sign in with it until it has a password and a user."""
    email = email.strip()
    values: dict[str, Any] = {
        "id": account_id,
        "created_at": clock.now(),
        "email_blind": blind_email(email),
        "email": vault.seal_json(email, "accounts.email", account_id),
        "password_hash": password_hash,
    }
    store.execute(accounts.insert().values(**values))
    return values


def email_of(account: Values) -> str:
    """The account's e-mail address, opened."""
    return str(vault.unseal_json(account["email"], "accounts.email", account["id"]))


def make_user(store: Store, clinic_id: UUID, account_id: UUID, role: Role, **more: Any) -> Values:
    """A user: this account in this clinic in this role."""
    values: dict[str, Any] = {
        "clinic_id": clinic_id,
        "account_id": account_id,
        "role": role.value,
        "privileges": [],
        "preferences": {},
        "locale": "en-US",
        "security_version": 1,
    }
    return store.add(users, values | more)


def named(clinic_id: UUID, ids: Iterable[UUID | None]) -> dict[UUID, Values]:
    """People of the clinic, `{id, display_name}` by id; one query, none for nobody."""
    u, wanted = users.c, sorted({one for one in ids if one is not None})
    asked = select(u.id, u.display_name).where(u.clinic_id == clinic_id, u.id.in_(wanted))
    return {row["id"]: row for row in current_store().rows(asked)} if wanted else {}
