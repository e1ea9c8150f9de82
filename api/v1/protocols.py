"""Protocols over v1: how long the window after a dose is, and what patients are told."""

from typing import Any

import marshmallow as ma

from api.access.policies import Actor
from api.core.treatment import protocols
from api.paging import Listing, Values
from api.v1.forms import Ask, Choice, Many, Show, Words, shown
from api.v1.resource import Blueprint, PageQuery

blp = Blueprint("protocols", "What is done around a dose, as versioned records.")
LOCALE = {"description": "Of `patient_instructions`; en-US where there are none."}


class WindowPhaseSchema(Show):
    """One stretch of the window, in days counted from the dose (day 0)."""

    phase = Choice(protocols.PHASES, required=True)
    from_day = shown(ma.fields.Integer)
    to_day = shown(ma.fields.Integer)


class WindowPlanSchema(Show):
    """How long the window is, and its phases; past the last day it is `closed`."""

    days = shown(ma.fields.Integer)
    phases = Many(ma.fields.Nested(WindowPhaseSchema), required=True)


class InstructionsSchema(Show):
    """What patients are told before a dose and after it."""

    before = ma.fields.List(ma.fields.String(), required=True)
    after = ma.fields.List(ma.fields.String(), required=True)


class PatientProtocolSchema(Show):
    """A protocol as a patient reads it: without the length of anything."""

    key = shown(ma.fields.String)
    version = shown(ma.fields.Integer)
    title = shown(ma.fields.String)
    patient_instructions = ma.fields.Nested(InstructionsSchema, required=True)


class ProtocolSchema(PatientProtocolSchema):
    """The newest version of a protocol."""

    review_on = shown(ma.fields.String)
    basis = shown(ma.fields.String)
    window = ma.fields.Nested(WindowPlanSchema, required=True)


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
    """List the protocols, by key, each in its newest version.

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
    """Read a protocol in its newest version."""
    return protocols.read_protocol(actor, protocol_key, locale)
