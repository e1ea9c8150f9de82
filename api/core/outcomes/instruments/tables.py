"""The tables of a clinic's own definitions, and of the wording that it holds a licence for."""

from sqlalchemy import JSON, Column, Date, Index, Integer, String, Text, Uuid

from api.db import of, tenant_table

own_instruments = tenant_table(
    "own_instruments",
    Column("key", String(60), nullable=False),
    Column("place", Integer, nullable=False),
    Column("edition", String(20), nullable=False),
    Column("definition", JSON, nullable=False),
    Column("licence_statement", Text, nullable=False),
    Column("holder", String(200), nullable=False),
    Column("expires_on", Date),
    Column("added_by", Uuid, nullable=False),
    of("users", "added_by"),
    patient=False,
)
"""One row for each version (`edition`) of an instrument; the one of the highest `place` is asked
now. Nothing in it is changed: old answers are scored by their own row for ever."""
instrument_texts = tenant_table(
    "instrument_texts",
    Column("key", String(60), nullable=False),
    Column("place", Integer, nullable=False),
    Column("items", JSON, nullable=False),
    Column("instructions", Text),
    Column("licence_statement", Text, nullable=False),
    Column("holder", String(200), nullable=False),
    Column("expires_on", Date),
    Column("added_by", Uuid, nullable=False),
    of("users", "added_by"),
    patient=False,
)
"""The wording of a licensed form, one row an upload; the one of the highest `place` counts, until
its licence ends. `items {link_id: {text, labels {value: label}}}`."""
_KEYED = ("clinic_id", "key", "place")
Index("uq_own_instruments_place", *own_instruments.c[*_KEYED], unique=True)
Index("uq_own_instruments_edition", *own_instruments.c["clinic_id", "key", "edition"], unique=True)
Index("uq_instrument_texts_place", *instrument_texts.c[*_KEYED], unique=True)
