"""The table of which session's form the clinic says it filed, and when."""

from datetime import timedelta
from typing import Final

from sqlalchemy import Column, Date, Index, Uuid

from api.db import Sealed, of, tenant_table

FILE_WITHIN: Final = timedelta(days=7)
"""By when after a session its form is to be filed (Spravato REMS 386)."""
MAX_REFERENCE: Final = 200

rems_filings = tenant_table(
    "rems_filings",
    Column("session_id", Uuid, nullable=False),
    Column("filed_on", Date, nullable=False),
    Column("reference", Sealed),
    Column("filed_by", Uuid, nullable=False),
    of("sessions", "session_id"),
    of("users", "filed_by"),
)
"""Append only: a form that was put right and filed again is another row, and the newest is told."""
Index("ix_rems_filings_session", *rems_filings.c["clinic_id", "session_id"])
