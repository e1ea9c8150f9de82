"""Protocols as versioned data: what is asked before a dose, watched after it, and told patients."""

from api.core.treatment.protocols.definition import (
    CLOSED,
    DAYS,
    FALLBACK,
    PHASES,
    Phase,
    Protocol,
    protocol_from,
)
from api.core.treatment.protocols.finding import protocol_for, version_of, versions_named
from api.core.treatment.protocols.shipped import IN_USE, in_use, shipped
from api.core.treatment.protocols.table import protocol_versions
from api.core.treatment.protocols.versions import (
    approve_protocol_version,
    draft_protocol_version,
    list_protocols,
    read_protocol,
    read_protocol_version,
)

__all__ = [
    "CLOSED",
    "DAYS",
    "FALLBACK",
    "IN_USE",
    "PHASES",
    "Phase",
    "Protocol",
    "approve_protocol_version",
    "draft_protocol_version",
    "in_use",
    "list_protocols",
    "protocol_for",
    "protocol_from",
    "protocol_versions",
    "read_protocol",
    "read_protocol_version",
    "shipped",
    "version_of",
    "versions_named",
]
