"""The dosing session: its plan, its append-only ledger, and how what is in it was judged."""

from api.core.treatment.dosing.finding import (
    cumulative,
    entries_of,
    last_dose_at,
    plan_of,
    protocol_fixed,
    protocol_of,
)
from api.core.treatment.dosing.monitoring import monitoring_told, standing
from api.core.treatment.dosing.planning import plan_dose, read_dose_plan
from api.core.treatment.dosing.reading import (
    list_ledger,
    read_given,
    read_ledger_entry,
    read_monitoring,
)
from api.core.treatment.dosing.recording import record_batch, record_entry
from api.core.treatment.dosing.table import dose_plans, ledger_entries
from api.core.treatment.protocols import Protocol

__all__ = [
    "Protocol",
    "cumulative",
    "dose_plans",
    "entries_of",
    "last_dose_at",
    "ledger_entries",
    "list_ledger",
    "monitoring_told",
    "plan_dose",
    "plan_of",
    "protocol_fixed",
    "protocol_of",
    "read_dose_plan",
    "read_given",
    "read_ledger_entry",
    "read_monitoring",
    "record_batch",
    "record_entry",
    "standing",
]
