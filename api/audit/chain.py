"""The chain: each event's digest holds that of the one before, so that none can be unsaid. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import rfc8785

PREFIX: Final = b"freshtrail-audit-v1\0"
START: Final = "0" * 64
"""What stands for the digest before the first."""
SAID: Final = (
    "clinic_id",
    "id",
    "at",
    "actor_id",
    "role",
    "sign_in_id",
    "on_behalf_of",
    "action",
    "type",
    "record_id",
    "data_category",
    "outcome",
    "reason_ref",
    "purpose",
    "door",
    "request_id",
    "client_ip",
    "field_names",
)
"""What of an event is sealed, beside the patients whom it touched."""


def body_of(event: Mapping[str, Any], patients: Iterable[UUID]) -> dict[str, Any]:
    """An event as it is sealed: text alone, so that no two readers write it differently."""
    body: dict[str, Any] = {name: _text(event[name]) for name in SAID}
    return body | {"patients": sorted(str(patient) for patient in patients)}


def _text(value: Any) -> str | None:
    if isinstance(value, datetime):
        at = value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
        return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return None if value is None else str(value)


def digest(body: Mapping[str, Any], before: str) -> str:
    """The digest of an event after that of the one before, in hex.

    SHA-256 over a prefix, the canonical JSON (RFC 8785) and the bytes of the digest before.
    """
    return sha256(PREFIX + rfc8785.dumps(dict(body)) + bytes.fromhex(before)).hexdigest()
