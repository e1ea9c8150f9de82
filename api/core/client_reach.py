"""Which charts an EHR client reaches: those its system knows, and those the clinic lets it see."""

from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    Column,
    ColumnElement,
    DateTime,
    Index,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    Uuid,
    and_,
    column,
    exists,
    literal_column,
    or_,
    select,
    table as plain_table,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite

from api import clock, vault
from api.access.policies import Actor, Rights, Role
from api.access.users import OWN_EHR, clinics
from api.audit import trail
from api.db import Instant, Store, Values, metadata, of, store
from api.db.walls import named_first
from api.errors import NotSignedIn

client_patients = Table(
    "client_patients",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("client_id", Uuid, nullable=False),
    Column("patient_id", Uuid, nullable=False),
    PrimaryKeyConstraint("clinic_id", "client_id", "patient_id"),
    of("ehr_clients", "client_id"),
    of("patients", "patient_id"),
)
"""The charts that a client made: it always reaches them."""
patient_systems = Table(
    "patient_systems",
    metadata,
    Column("clinic_id", Uuid, nullable=False),
    Column("system_blind", String(64), nullable=False),
    Column("patient_id", Uuid, nullable=False),
    PrimaryKeyConstraint("clinic_id", "system_blind", "patient_id"),
    of("patients", "patient_id"),
)
"""Of which systems a patient carries an identifier, by a blind index of the system alone."""
Index("ix_patient_systems_patient", *patient_systems.c["clinic_id", "patient_id"])
client_assertions = Table(
    "client_assertions",
    metadata,
    Column("client_id", Uuid, nullable=False),
    Column("jti_hash", String(64), nullable=False),
    Column("ends_at", Instant, nullable=False),
    PrimaryKeyConstraint("client_id", "jti_hash"),
)
"""Assertions that were used, until they end by themselves: none is good twice (RFC 7523)."""
Index("ix_client_assertions_ends", client_assertions.c.ends_at)

_clients = plain_table(
    "ehr_clients",
    *(column(name, Uuid) for name in ("clinic_id", "id")),
    column("name", String),
    column("external_system", Text),
    column("disabled_at", DateTime),
    column("deleted_at", DateTime),
)
_consents = plain_table(
    "consents",
    *(column(name, Uuid) for name in ("clinic_id", "patient_id")),
    column("kind", String),
    *(column(name, DateTime) for name in ("withdrawn_at", "superseded_at", "deleted_at")),
)
"""Both stand a floor above; what is asked of them here is who the client is and what stands."""


REMEMBERED: Final = 10_000
_systems: dict[UUID, str] = {}
"""The system of each client as it was found last, to be asked for before the client is known."""


def identify_client(client: Actor) -> Rights:
    """The rights of a client as the database has them now; raises `NotSignedIn` once revoked."""
    c = _clients.c
    row = store().row(
        select(*CLIENT_COLUMNS)
        .join(clinics, clinics.c.id == c.clinic_id)
        .where(*_registered(client.clinic_id, client.user_id))
    )
    if row is None:
        raise NotSignedIn("The client is not registered any more.")
    if len(_systems) >= REMEMBERED:
        _systems.clear()
    _systems[client.user_id] = row["external_system"]
    return client_rights(client, row)


CLIENT_COLUMNS: Final = (
    _clients.c.name,
    _clients.c.external_system,
    clinics.c.time_zone,
    clinics.c.ehr_access,
    clinics.c.suspended_at.is_not(None).label("suspended"),
)


def _registered(clinic_id: Any, client_id: Any) -> list[ColumnElement[bool]]:
    c = _clients.c
    is_there = (c.disabled_at.is_(None), c.deleted_at.is_(None))
    return [c.clinic_id == clinic_id, c.id == client_id, *is_there]


def client_rights(client: Actor, row: Values) -> Rights:
    """The rights of a client from a row of its columns; its system and reach are kept beside."""
    client.extras["external_system"] = row["external_system"]
    client.extras["ehr_access"] = row["ehr_access"]
    return Rights(
        user_id=client.user_id,
        clinic_id=client.clinic_id,
        role=Role.SYSTEM,
        display_name=row["name"],
        patient_id=None,
        privileges=frozenset(),
        zone=row["time_zone"],
        auth_time=clock.now(),
        suspended=bool(row["suspended"]),
    )


def client_cte(clinic_id: Any, client_id: Any, system: Any) -> CTE:
    """The columns of a registered client of this system, for a statement that asks for more."""
    return (
        select(*CLIENT_COLUMNS)
        .join(clinics, clinics.c.id == _clients.c.clinic_id)
        .where(
            *_registered(clinic_id, client_id),
            _clients.c.external_system == system,
            named_first(clinic_id),
        )
        .cte("s")
    )


def system_of(client: Actor) -> str | None:
    """The client's system as this process found it last; None where it does not know it.

    It may be another by now: whoever asks by it must ask for it, as `client_cte` does.
    """
    return _systems.get(client.user_id)


def reached_by(client: Actor, patient_id: Any) -> ColumnElement[bool]:
    """The SQL condition that a client reaches a chart.

    It carries an identifier of the client's system, or the client made it; the rest by the
    clinic's setting: all of them, or those whose patient consents to `ehr_sharing`.
    """
    if client.extras["ehr_access"] == OWN_EHR:
        return true()
    blind = blind_system(client.clinic_id, client.extras["external_system"])
    return known_to(client.clinic_id, client.user_id, blind, patient_id)


def known_to(clinic_id: Any, client_id: Any, blind: Any, patient_id: Any) -> ColumnElement[bool]:
    """The SQL condition that a client reaches a chart where the clinic does not show it all."""
    made, known, said = client_patients.c, patient_systems.c, _consents.c
    return or_(
        exists().where(
            known.clinic_id == clinic_id,
            known.system_blind == blind,
            known.patient_id == patient_id,
        ),
        exists().where(
            made.clinic_id == clinic_id,
            made.client_id == client_id,
            made.patient_id == patient_id,
        ),
        exists().where(
            said.clinic_id == clinic_id,
            said.patient_id == patient_id,
            said.kind == literal_column("'ehr_sharing'"),
            said.withdrawn_at.is_(None),
            said.superseded_at.is_(None),
            said.deleted_at.is_(None),
        ),
    )


def blind_system(clinic_id: UUID, system: str) -> str:
    """Under which index the patients of another system are found."""
    return vault.blind(system, "patient_systems.system_blind", clinic_id)


def index_systems(row: Values) -> None:
    """Let a patient be found by the systems of their external ids, and by no other."""
    mine = {"clinic_id": row["clinic_id"], "patient_id": row["id"]}
    table = patient_systems
    store().execute(
        table.delete().where(
            and_(table.c.clinic_id == row["clinic_id"], table.c.patient_id == row["id"])
        )
    )
    systems = {item["system"] for item in row["external_ids"] or []}
    blinds = sorted(blind_system(row["clinic_id"], system) for system in systems)
    if blinds:
        store().execute(table.insert(), [mine | {"system_blind": blind} for blind in blinds])


def spend_assertion(client_id: UUID, jti: str, ends_at: Any) -> bool:
    """Whether this assertion was never used before; from now on it was.

    Two that come at once are told apart by the primary key, whichever worker they come to.
    """
    dialect: Any = postgresql if store().on_postgres else sqlite
    forget_assertions(store())
    row = {"client_id": client_id, "jti_hash": sha256(jti.encode()).hexdigest(), "ends_at": ends_at}
    new = dialect.insert(client_assertions).values(**row).on_conflict_do_nothing()
    # PostgreSQL's driver counts no rows of such an insert
    return store().execute(new.returning(client_assertions.c.jti_hash)).first() is not None


def forget_assertions(within: Store) -> None:
    """Take away the used assertions that have ended by themselves."""
    ended = client_assertions.c.ends_at < clock.now()
    within.execute(client_assertions.delete().where(ended))


def signed_in(client: Actor) -> None:
    """Begin the deed of a client that signs in, for the trail."""
    store().stand_in(client.clinic_id)
    trail.begin("client:sign_in")
    client.known = identify_client(client)
