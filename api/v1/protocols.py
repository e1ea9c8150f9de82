"""Protocols over v1: what is asked before a dose, watched after it, and told patients."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.treatment import protocols
from api.paging import Listing, Values
from api.v1.forms import Ask, Show, Words, shown
from api.v1.protocol_shapes import (
    InstructionsSchema,
    NewProtocolVersionSchema,
    ProtocolFields,
)
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("protocols", "What is done around a dose, as versioned records.")
LOCALE = {"description": "Of `patient_instructions`; en-US where there are none."}


class PatientProtocolSchema(Show):
    """A protocol as a patient reads it: without the length of anything."""

    key = shown(ma.fields.String)
    version = shown(ma.fields.Integer)
    title = shown(ma.fields.String)
    patient_instructions = ma.fields.Nested(InstructionsSchema, required=True)


class ProtocolSchema(PatientProtocolSchema, ProtocolFields):
    """A version of a protocol, beside the list of all its versions."""


class ApproveSchema(Ask):
    """Nothing is asked: the version is named by its address."""


class ProtocolsQuery(PageQuery):
    """In which language patients are told."""

    locale = Words(35, metadata=LOCALE)


class ProtocolQuery(Ask):
    """In which language patients are told."""

    locale = Words(35, metadata=LOCALE)


@blp.offer(
    "GET",
    "/protocols",
    "protocol:read",
    query=ProtocolsQuery,
    answer=ProtocolSchema,
    to_patient=PatientProtocolSchema,
    paged=True,
    derived=True,
)
def list_protocols(actor: Actor, **asked: Any) -> Listing:
    """List the protocols, by key, each in the version that is in force.

    They carry no time of change: `updated_since` answers all of them.
    """
    return protocols.list_protocols(actor, **asked)


@blp.offer(
    "GET",
    "/protocols/<string:protocol_key>",
    "protocol:read",
    query=ProtocolQuery,
    answer=ProtocolSchema,
    to_patient=PatientProtocolSchema,
    derived=True,
)
def read_protocol(actor: Actor, protocol_key: str, locale: str | None = None) -> Values:
    """Read the version of a protocol that is in force, with the list of all.

    Those that come with this release (`shipped`) are in force until a clinic approves its own.
    """
    return protocols.read_protocol(actor, protocol_key, locale)


@blp.offer(
    "GET",
    "/protocols/<string:protocol_key>/versions/<string:number>",
    "protocol_version:read",
    answer=ProtocolSchema,
    derived=True,
)
def read_protocol_version(actor: Actor, protocol_key: str, number: str) -> Values:
    """Read one version of a protocol, a draft too."""
    return protocols.read_protocol_version(actor, protocol_key, number)


@blp.offer(
    "POST",
    "/protocols/<string:protocol_key>/versions",
    "protocol_version:draft",
    body=NewProtocolVersionSchema,
    answer=ProtocolSchema,
    location="/api/v1/protocols/{protocol_key}/versions/{id}",
    example={
        "owner": "The clinic's medical director",
        "citation": "Our own review of 2026",
        "thresholds": [
            {
                "rule": "systolic_alert",
                "field": "systolic_mmhg",
                "action": "alert",
                "when": "always",
                "at_least": 175,
            }
        ],
    },
)
def draft_protocol_version(actor: Actor, protocol_key: str, values: Values) -> Values:
    """Draft a new version of a protocol.

    What is left out stays as in the version before; a list that is sent replaces the whole list.
    Nothing obeys a draft. Under a key that is not there, `based_on` begins a protocol of the
    clinic's own (404 without it): once approved it goes before a shipped one for the same route and
    medicine. A `window` has phases that follow each other from day 0 to its last; it is that of the
    doses of sessions which begin with this version, and of no other.
    """
    return protocols.draft_protocol_version(actor, protocol_key, values)


@blp.offer(
    "POST",
    "/protocols/<string:protocol_key>/versions/<string:number>/approve",
    "protocol_version:approve",
    body=ApproveSchema,
    answer=ProtocolSchema,
    example={},
)
def approve_protocol_version(
    actor: Actor, protocol_key: str, number: str, values: Values
) -> Values:
    """Approve a draft: it is in force from now on, or from its day.

    Never one's own where the clinic has another who directs (409). A session that has begun keeps
    the version it began with.
    """
    return protocols.approve_protocol_version(actor, protocol_key, number)
