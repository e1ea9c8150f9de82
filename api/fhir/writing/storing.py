"""Storing resources: made, made unless they are there, put in place, patched; never by halves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import jsonpatch

from api.access.policies import Actor
from api.core.ehr import CREATE, UPDATE, enter, enter_to_write
from api.errors import Invalid, NotAllowed, NotFound, Stale
from api.fhir import asking, scopes
from api.fhir.by_id import read
from api.fhir.datatypes import Json
from api.fhir.finding import SEARCHES, Search
from api.fhir.kind import Kind, Shown, split_id
from api.fhir.kinds import KINDS
from api.fhir.outcome import Faulty, NotSupported, NotUnderstood, TooManyMatch
from api.fhir.parameters import answers
from api.fhir.scopes import is_within
from api.fhir.writing.form import Form, Writer
from api.fhir.writing.incoming import checked
from api.fhir.writing.writers import WRITERS

MAX_CONDITION: Final = 2000
MAX_OPERATIONS: Final = 100
MAX_COPIES: Final = 5
"""Each copy may double what there is."""
Pairs = Sequence[tuple[str, str]]


@dataclass
class Stored:
    """What came of a write: its status, the resource as it stands, what of it was not kept."""

    status: int
    shown: Shown
    notes: list[tuple[str, str]] = field(default_factory=list)
    is_left: bool = False
    """Whether the write took the resource out of the client's reach: a consent was withdrawn."""

    @property
    def etag(self) -> str:
        """The version of the resource."""
        return f'W/"{self.shown.resource["meta"]["versionId"]}"'

    @property
    def place(self) -> str:
        """Where that version stands, below the base."""
        resource = self.shown.resource
        at = f"{resource['resourceType']}/{resource['id']}"
        return f"{at}/_history/{resource['meta']['versionId']}"


@dataclass(frozen=True)
class Hand:
    """One client at one type: what it may write there, and under which address references lie."""

    client: Actor
    kind: Kind
    base: str

    @property
    def writer(self) -> Writer:
        """How the type is taken; `NotSupported` where it is not."""
        writer = WRITERS.get(self.kind.type)
        if writer is None:
            raise NotSupported(f"{self.kind.type} is not written here.")
        return writer

    def may_create(self) -> None:
        """Refuse whoever may not create at all, before the body is read."""
        self._enter(CREATE, scopes.CREATE)

    def may_update(self) -> None:
        """Refuse whoever may not update at all, before the body is read."""
        self._enter(UPDATE, scopes.UPDATE)

    def create(self, resource: Any, condition: str | None = None) -> Stored:
        """A new resource; with a condition only where none answers to it."""
        within = self._enter(CREATE, scopes.CREATE)
        writer = self.writer
        told = checked(self.kind.type, resource, self.base)
        enter_to_write(self.client, CREATE)
        pairs = None if condition is None else self.pairs_of(condition)
        there = [] if pairs is None else self._matching(pairs)
        if there:
            return Stored(200, self._only(there))
        form = self._form(told)
        record_id = self._written(writer, form, lambda: writer.create(self.client, form))
        shown = self._within(within, record_id, CREATE)
        if pairs is not None and not self._answers(pairs, shown):
            raise NotUnderstood("What is created must itself answer to its condition.")
        return Stored(200 if form.is_known else 201, shown, form.notes)

    def update(self, record_id: str, resource: Any, version: int | None) -> Stored:
        """The resource of an id, as it is sent, in place of what was there."""
        within = self._enter(UPDATE, scopes.UPDATE)
        told = checked(self.kind.type, resource, self.base)
        if told.get("id") != record_id:
            raise Faulty([("value", f"{self.kind.type}.id", "The id of the address.")])
        enter_to_write(self.client, UPDATE)
        return self._put(record_id, told, version, within)

    def _put(self, record_id: str, told: Json, version: int | None, within: Any) -> Stored:
        update = self.writer.update
        if update is None:
            raise NotSupported(f"{self.kind.type} is not changed here.")
        before = self._within(within, record_id, UPDATE, NotFound("There is no such resource."))
        self._refuse_other_chart(before, told)
        row = split_id(self.kind.parts[0], record_id)
        assert row is not None and isinstance(row[0], UUID), "it was found by its id"
        row_id, form = row[0], self._form(told)
        version = self._version(before, version)
        self._written(
            self.writer, form, lambda: update(self.client, row_id, version, form), fresh=False
        )
        try:
            return Stored(200, self._within(within, record_id, UPDATE), form.notes)
        except NotFound:
            return Stored(200, before, form.notes, is_left=True)

    def update_where(self, condition: str, resource: Any, version: int | None) -> Stored:
        """The one resource that answers to a condition, put in place; made where none does."""
        within = self._enter(UPDATE, scopes.UPDATE)
        told = checked(self.kind.type, resource, self.base)
        enter_to_write(self.client, UPDATE)
        there = self._matching(self.pairs_of(condition))
        if not there:
            if "id" in told:
                raise NotSupported("Ids are given here; leave it out to create.")
            return self.create(resource, condition)
        record_id = str(self._only(there).resource["id"])
        if told.get("id", record_id) != record_id:
            raise Faulty([("value", f"{self.kind.type}.id", "Not that of the match.")])
        return self._put(record_id, {**told, "id": record_id}, version, within)

    def patch(self, record_id: str, operations: list[Any], version: int | None) -> Stored:
        """The resource after a JSON Patch (RFC 6902) of it as it is shown."""
        within = self._enter(UPDATE, scopes.UPDATE)
        enter_to_write(self.client, UPDATE)
        before = self._within(within, record_id, UPDATE, NotFound("There is no such resource."))
        after = patched(before.resource, operations)
        told = checked(self.kind.type, after, self.base)
        if told.get("id") != record_id:
            raise Faulty([("value", f"{self.kind.type}.id", "An id does not change.")])
        return self._put(record_id, told, version, within)

    def _enter(self, action: str, letter: str) -> Any:
        """The alternatives that the scopes leave; refused before anything is looked at."""
        enter(self.client, action)
        within = scopes.allowed(self.client.extras["scopes"], self.kind, letter)
        if within is None:
            raise NotAllowed(f"This needs the scope system/{self.kind.type}.{letter}.")
        return within

    def pairs_of(self, condition: str) -> Pairs:
        """The parameters of a condition: a query, `Type?query` or a whole address."""
        if len(condition) > MAX_CONDITION:
            raise NotUnderstood("The condition is too long.")
        text = condition.strip()
        if "?" in text:
            at, _, text = text.partition("?")
            path = urlsplit(at).path.rstrip("/").rpartition("/")[2]
            if path not in ("", self.kind.type):
                raise NotUnderstood(f"The condition is of {self.kind.type}.")
        pairs = [
            (name, value)
            for name, value in parse_qsl(text, keep_blank_values=True)
            if name not in ("_format", "_pretty")
        ]
        if not asking.understand(self.kind, pairs, False).filters:
            raise NotUnderstood("A condition has at least one parameter, such as identifier.")
        return pairs

    def _matching(self, pairs: Pairs) -> list[Shown]:
        within = scopes.allowed(self.client.extras["scopes"], self.kind, scopes.SEARCH)
        if within is None:
            raise NotAllowed(f"A condition needs the scope system/{self.kind.type}.s.")
        asked = asking.understand(self.kind, [*pairs, ("_count", "2"), ("_total", "none")], False)
        search = Search(self.client, self.kind, asked, within, self.base, SEARCHES)
        return search.page(None, None).matches

    def _only(self, there: list[Shown]) -> Shown:
        if len(there) > 1:
            raise TooManyMatch("More than one resource answers to the condition.")
        return there[0]

    def _answers(self, pairs: Pairs, shown: Shown) -> bool:
        asked = asking.understand(self.kind, pairs, False)
        return all(answers(one, shown.resource, self.base) for one in asked.filters)

    def _form(self, told: Json) -> Form:
        return Form(self.kind.type, told, self.client.extras["external_system"])

    def _written(self, writer: Writer, form: Form, write: Any, fresh: bool = True) -> Any:
        """What a writer made; what the core refuses is said of the elements it came from."""
        try:
            return write()
        except Invalid as refusal:
            raise Faulty([self._fault(writer, *one) for one in refusal.errors]) from None
        except NotFound:
            if not fresh:
                raise
            at = f"{self.kind.type}.{writer.named}"
            raise Faulty([("not-found", at, "There is no such resource.")]) from None

    def _fault(self, writer: Writer, pointer: str, said: str) -> tuple[str, str, str]:
        first = "/" + pointer.strip("/").partition("/")[0]
        element = writer.pointers.get(first)
        at = self.kind.type if element is None else f"{self.kind.type}.{element}"
        return "business-rule", at, said

    def _within(
        self, within: Any, record_id: str, action: str, lacking: Exception | None = None
    ) -> Shown:
        """The resource as the client may write it; what the scopes leave out is refused."""
        found = read(self.client, self.kind, [()], self.base, [record_id], action)
        if not found:
            raise lacking or NotFound("There is no such resource.")
        if not is_within(within, found[0].resource, self.base):
            raise lacking or NotAllowed("The scopes of this client leave this out.")
        return found[0]

    def _version(self, before: Shown, version: int | None) -> int | None:
        if version is not None and before.resource["meta"]["versionId"] != str(version):
            raise Stale("The resource was changed since you read it.")
        return version

    def _refuse_other_chart(self, before: Shown, told: Json) -> None:
        name = self.kind.chart
        if name in (None, "id"):
            return
        assert name is not None, "what is written hangs on a chart"
        if told.get(name, {}).get("reference") != before.resource[name]["reference"]:
            at = f"{self.kind.type}.{name}.reference"
            raise Faulty([("business-rule", at, "Whose record it is does not change.")])


def hand(client: Actor, kind: str, base: str) -> Hand:
    """One client at one type; `NotSupported` for a type that is none of this door."""
    if kind not in KINDS:
        raise NotSupported("There is no such type here.")
    return Hand(client, KINDS[kind], base)


def patched(resource: Json, operations: list[Any]) -> Any:
    """A resource after the operations of a JSON Patch; raises for what can't be done."""
    if len(operations) > MAX_OPERATIONS or not all(isinstance(one, dict) for one in operations):
        raise NotUnderstood(f"A list of at most {MAX_OPERATIONS} operations.")
    if sum(one.get("op") == "copy" for one in operations) > MAX_COPIES:
        raise NotUnderstood(f"At most {MAX_COPIES} of them copy.")
    try:
        return jsonpatch.apply_patch(resource, operations)
    except jsonpatch.JsonPatchTestFailed:
        raise Faulty(
            [("conflict", resource["resourceType"], "A test of the patch failed.")]
        ) from None
    except (
        jsonpatch.JsonPatchException,
        jsonpatch.JsonPointerException,
        TypeError,
        ValueError,
        KeyError,
        AttributeError,
        IndexError,
    ):
        raise NotUnderstood("The patch can't be applied to this resource.") from None


def version_of(header: str | None) -> int | None:
    """The version that If-Match names; `NotUnderstood` for what is none."""
    if header is None or header.strip() == "*":
        return None
    text = header.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Stale("There is no such version.")
    return int(text)
