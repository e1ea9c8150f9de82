"""Making an export: each type after the other, part by part, in pieces of as many rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import orjson

from api.access.policies import Actor
from api.core import clocks
from api.core.ehr import Wanted
from api.core.ehr.exports import DELETED, EXPORTS, Order, Piece, work
from api.errors import NotAllowed
from api.fhir import asking, dates, scopes
from api.fhir.address import stand_at
from api.fhir.bulk_asking import filters_of
from api.fhir.datatypes import Json
from api.fhir.finding import CHUNK, Search
from api.fhir.kind import Kind, Shown
from api.fhir.kinds import KINDS
from api.fhir.parameters import Filter
from api.fhir.scopes import READ, Alternatives
from api.fhir.subset import part_of

ERRORS = "errors"
"""The file of what was passed over."""
Place = tuple[bool, int, int, Any]
"""Whether tombstones are told, of which type and part, and after which row."""


@dataclass(frozen=True)
class Making:
    """One export as it is made."""

    client: Actor
    order: Order

    @property
    def types(self) -> list[str]:
        """What it holds, in order."""
        return list(self.order.request["types"])

    def piece(self) -> Piece:
        """The next piece; the last one tells of what was passed over."""
        place: Any = self.order.place or (False, 0, 0, None)
        if place[1] >= len(self.types):
            return Piece(ERRORS, list(self._passed_over()), None, 100, ERRORS)
        gone, number, part, after = place
        kind = _with_replaced(KINDS[self.types[number]])
        shown, last = self._rows(kind, part, after, gone)
        following = self._after(place, kind, last)
        if gone:
            lines = [(_gone(one), one.patient_id) for one in shown if not _is_replaced(one)]
        else:
            asked = self._asked(kind)
            bodies = ((part_of(kind, one.resource, asked), one.patient_id) for one in shown)
            lines = [(orjson.dumps(body), patient_id) for body, patient_id in bodies]
        percent = min(99, number * 100 // len(self.types))
        return Piece(DELETED if gone else kind.type, lines, following, percent, kind.type)

    def _after(self, place: Place, kind: Kind, last: Any) -> Place:
        """Where to go on: in the same part, in the next one, with the tombstones, or a type on."""
        gone, number, part, _ = place
        if last is not None:
            return gone, number, part, str(last)
        if part + 1 < len(kind.parts):
            return gone, number, part + 1, None
        if not gone and self.order.request["since"] is not None:
            return True, number, 0, None
        return False, number + 1, 0, None

    def _rows(
        self, kind: Kind, number: int, after: Any, gone: bool
    ) -> tuple[Sequence[Shown], UUID | str | None]:
        search, part = self._search(kind), kind.parts[number]
        wanted = search.wanted(part)
        if wanted is None or (self._patients and part.source.patient is None):
            return [], None
        mark = after if after is None or part.plain_ids else UUID(after)
        return search.batch(number, self._narrowed(wanted, mark, gone))

    def _narrowed(self, wanted: Wanted, mark: Any, gone: bool) -> Wanted:
        told = replace(wanted, after=mark, size=CHUNK)
        if self._patients:
            told = replace(told, patients=self._patients)
        if gone:
            told = replace(told, gone_since=dates.span(self.order.request["since"])[0])
        return told

    @property
    def _patients(self) -> list[UUID]:
        return [UUID(one) for one in self.order.request["patients"]]

    def _search(self, kind: Kind) -> Search:
        within = scopes.allowed(self.client.extras["scopes"], kind, READ)
        if within is None:
            raise NotAllowed("The scopes of this client were narrowed.")
        base = self.order.request["base"]
        return Search(
            self.client, kind, self._asked(kind), self._either(kind, within), base, EXPORTS
        )

    def _either(self, kind: Kind, within: Sequence[tuple[Filter, ...]]) -> Alternatives:
        """What the scopes leave, and of that what answers to any filter of the type."""
        told = self.order.request["filters"]
        asked = [filters_of(name, query) for name, query in told if name == kind.type] or [()]
        return [(*scope, *one) for scope in within for one in asked]

    def _asked(self, kind: Kind) -> asking.Asked:
        request = self.order.request
        named = [
            one
            for one in request["elements"]
            if "." not in one or one.partition(".")[0] == kind.type
        ]
        pairs = [("_elements", ",".join(named))] if named else []
        if request["since"] is not None:
            pairs.append(("_lastUpdated", f"ge{request['since']}"))
        if request["until"] is not None:
            pairs.append(("_lastUpdated", f"le{request['until']}"))
        return asking.understand(kind, pairs, False)

    def _passed_over(self) -> Iterator[tuple[bytes, None]]:
        for said in self.order.request["ignored"]:
            issue = {"severity": "warning", "code": "not-supported", "diagnostics": said}
            body = {"resourceType": "OperationOutcome", "issue": [issue]}
            yield orjson.dumps(body), None


def _with_replaced(kind: Kind) -> Kind:
    """The kind with what another replaced, which a read gives too, for a mirror to follow."""
    return replace(kind, parts=(*kind.parts, *kind.replaced))


def _is_replaced(one: Shown) -> bool:
    """Whether it says itself by what it was replaced: then it is told of among its type."""
    return any(link["type"] == "replaced-by" for link in one.resource.get("link", ()))


def _gone(one: Shown) -> bytes:
    """That a resource is no more, as a transaction would do it."""
    url = f"{one.resource['resourceType']}/{one.resource['id']}"
    entry: Json = {"request": {"method": "DELETE", "url": url}}
    return orjson.dumps({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})


def make(client: Actor, order: Order) -> Piece:
    """The next piece of an export; raises `NotAllowed` when the client has fewer scopes by now."""
    asked = order.scopes.split()
    if not set(asked) <= set(scopes.granted(order.scopes, order.registered, KINDS)):
        raise NotAllowed("The scopes of this client were narrowed.")
    client.extras["scopes"] = scopes.read_all(order.scopes)
    stand_at(order.request["base"])
    return Making(client, order).piece()


def make_next() -> bool:
    """Work at the export that has waited the longest; false when none waits."""
    return work(make)


clocks.LONG.append(make_next)
