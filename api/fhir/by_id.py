"""Reading resources by their ids: as far as the client reaches, and within its scopes."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from api.access.policies import Actor
from api.core.ehr import BEGINNING, Wanted, list_records
from api.errors import NotFound
from api.fhir.kind import Kind, Shown, made_of, split_id
from api.fhir.outcome import Gone
from api.fhir.scopes import Alternatives, is_within, takes_all

READS: Final = "fhir:read"


def read(
    client: Actor,
    kind: Kind,
    alternatives: Alternatives,
    base: str,
    ids: Iterable[str],
    action: str = READS,
    gone_since: datetime | None = None,
    alone: bool = False,
) -> list[Shown]:
    """The resources of these ids that are in reach, and within the scopes.

    With `gone_since` those that were taken away since, and none that is there. `alone` where the
    one that is found is the whole answer.
    """
    wanted = set(ids)
    found: list[Shown] = []
    for number, part in enumerate(kind.parts):
        split = [pair for one in wanted if (pair := split_id(part, one)) is not None]
        if not (rows_ids := list({row for row, _ in split})):
            continue
        as_it_is = alone and takes_all(alternatives) and _is_plain(kind, split)
        asked = Wanted(rows_ids, gone_since=gone_since, told_as=kind.type if as_it_is else None)
        rows = list_records(client, action, part.source, asked)
        for shown in made_of(client, kind, number, rows):
            if shown.resource["id"] in wanted and is_within(alternatives, shown.resource, base):
                found.append(shown)
    return found


def _is_plain(kind: Kind, split: Sequence[tuple[UUID | str, str]]) -> bool:
    """Whether each row that is found is a resource of its own, of the id that was asked for."""
    singly = len(kind.parts) == 1 and kind.parts[0].singly
    return singly and all(isinstance(row, UUID) and not suffix for row, suffix in split)


def read_one(
    client: Actor,
    kind: Kind,
    alternatives: Alternatives,
    base: str,
    one: str,
    or_replaced: bool = False,
    alone: bool = False,
) -> Shown:
    """The resource of one id; `NotFound` in the same words for absent and out of reach.

    With `or_replaced` also one that another replaced, which says so; `alone` as with `read`.
    Raises `Gone` for one that was taken away, and that the client could read before.
    """
    found = read(client, kind, alternatives, base, [one], alone=alone)
    if not found and or_replaced and kind.replaced:
        found = read(client, replace(kind, parts=kind.replaced), alternatives, base, [one])
    if found:
        return found[0]
    if read(client, kind, alternatives, base, [one], gone_since=BEGINNING):
        raise Gone("The resource was deleted.")
    raise NotFound("There is no such resource.")
