"""What each FHIR type of this door is made of: sources, parameters, profiles, and its ids.

A resource's id is that of our row; where several are made of one row, a suffix tells them apart.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from api.access.policies import Actor
from api.core.ehr import Source
from api.fhir.datatypes import RESTRICTED, Json, clean, instant
from api.fhir.parameters import COMMON, Param

Values = dict[str, Any]
ID_SIGNS = 36
"""How long the id of a row is."""


class Made(NamedTuple):
    """One resource made of a row: its suffix, what it says, and times of its own if it has any."""

    body: Json
    suffix: str = ""
    profiles: tuple[str, ...] = ()
    updated_at: datetime | None = None
    version: int | str | None = None


Make = Callable[[Actor, Values], Iterable[Made]]


@dataclass(frozen=True)
class Part:
    """Where some resources of a type come from, and how they are made.

    `only` tells which codes a token parameter can find here at all; `digest` makes the version out
    of the content where that is computed anew each day; `singly` is one resource for each row.
    """

    source: Source
    make: Make
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)
    prefix: str = ""
    digest: bool = False
    singly: bool = True
    plain_ids: bool = False
    """Whether ids are words and not UUIDs."""

    @property
    def keeps_versions(self) -> bool:
        """Whether what a resource was before it changed can be read."""
        return self.source.former is not None and not self.digest


@dataclass(frozen=True)
class Kind:
    """One FHIR type of this door."""

    type: str
    code: str
    parts: tuple[Part, ...]
    params: Mapping[str, Param]
    summary: tuple[str, ...]
    mandatory: tuple[str, ...] = ()
    restricted: bool = True
    """Whether it is marked as of behavioural health."""
    chart: str | None = "subject"
    """The element that names the patient; None where it hangs on none."""
    doc: str = ""
    apart: bool = False
    """Whether a wildcard scope leaves it out."""
    replaced: tuple[Part, ...] = ()
    """Where resources come from that others replaced: read by their id, and found by no search."""

    @property
    def every_param(self) -> Mapping[str, Param]:
        """Its own parameters, and those of every type."""
        return {**COMMON, **self.params}


class Shown(NamedTuple):
    """A resource on its way out: where it stands in the order, its row, and the patient."""

    place: tuple[int, str, int]
    resource: Json
    patient_id: UUID | None
    row_id: UUID | str
    is_gone: bool = False
    """Whether it stands for a resource that was taken away."""


def split_id(part: Part, resource_id: str) -> tuple[UUID | str, str] | None:
    """The row and the suffix that an id means in a part; None when it can't be one of it."""
    if not resource_id.startswith(part.prefix):
        return None
    rest = resource_id[len(part.prefix) :]
    if part.plain_ids:
        return rest, ""
    row, suffix = rest[:ID_SIGNS], rest[ID_SIGNS + 1 :]
    if rest[ID_SIGNS : ID_SIGNS + 1] not in ("", "-"):
        return None
    try:
        found = UUID(row)
    except ValueError:
        return None
    return (found, suffix) if str(found) == row else None


def made_of(reader: Actor, kind: Kind, number: int, rows: Sequence[Values]) -> Iterator[Shown]:
    """The resources that one part makes of these rows, in order."""
    part = kind.parts[number]
    for row in rows:
        row_id, patient_id = str(row["id"]), _patient_of(part, row)
        for order, made in enumerate(part.make(reader, row)):
            body = _finished(kind, part, row, row_id, made)
            yield Shown((number, row_id, order), body, patient_id, row["id"])


def _patient_of(part: Part, row: Values) -> UUID | None:
    if part.source.patient is None:
        return None
    found: UUID = row[part.source.patient.key]
    return found


def _finished(kind: Kind, part: Part, row: Values, row_id: str, made: Made) -> Json:
    suffix = f"-{made.suffix}" if made.suffix else ""
    content: Json = clean(made.body)
    version = made.version or row.get("version") or 1
    if part.digest:
        version = sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
    updated_at = instant(made.updated_at or row["updated_at"])
    meta: Json = {"versionId": str(version), "lastUpdated": updated_at}
    if made.profiles:
        meta["profile"] = [*made.profiles]
    if kind.restricted:
        meta["security"] = RESTRICTED
    return {
        "resourceType": kind.type,
        "id": f"{part.prefix}{row_id}{suffix}",
        "meta": meta,
        **content,
    }
