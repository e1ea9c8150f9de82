"""Words planted wherever somebody may write: each its own, so that a find says where it came in."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import JSON, String, Text, cast, select

from api import db
from api.db import Sealed
from api.fhir.kinds import KINDS
from tests.fhir.matrix import World as EhrWorld
from tests.hostile import aiming, ehr_aiming
from tests.hostile.aiming import Target

WORD = re.compile(r"canary(\d+)wren", re.IGNORECASE)
WHOLLY = ("", "Patient")
"""Types of which every route is asked with a word; of the others their searches are."""
SHAPES = {
    "email": "{}@mail.example",
    "url": "https://{}.example/",
    "system": "https://{}.example/",
    "phone": "+1 555 {}",
    "zone": "America/{}",
}
"""How a word is tried besides, where the field's name promises that more is asked of it."""


@dataclass
class Planting:
    """What was planted where, and what answered."""

    places: list[Target] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)
    refusals: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)

    def word(self, target: Target) -> str:
        """A new word for a place."""
        self.places.append(target)
        return f"Canary{len(self.places)}wren"

    def tries(self, target: Target) -> Iterator[str]:
        """The shapes in which words are tried at a place; more of them where words are taken."""
        yield self.word(target)
        if target.kind == "value":
            name = " ".join(target.place)
            for part, shape in SHAPES.items():
                if part in name:
                    yield shape.format(self.word(target))
            yield f"We spoke of {self.word(target)} at length."
            if len(self.places) in self.taken:
                yield f"<b>{self.word(target)}</b> & more"
                yield f"{self.word(target)}\n{self.word(target)}"

    def heard(self, target: Target, word: str, answer: Any) -> bool:
        """Keep what an answer tells; whether the word was taken."""
        self.headers += [f"{target}: {name}: {value}" for name, value in answer.headers.items()]
        if answer.status_code >= 400:
            self.refusals.append(f"{target}: {answer.text}")
            return False
        self.taken |= {int(number) for number in WORD.findall(word)}
        return True

    def found(self, where: str) -> dict[str, str]:
        """Whose words are in a text: word by place."""
        return {
            match.group(): str(self.places[int(match.group(1)) - 1])
            for match in WORD.finditer(where)
        }


def as_payload(target: Target, word: str) -> Any:
    """The word as a case of hostile input is sent."""
    return json.dumps(word).encode() if target.kind == "value" else word.replace(" ", "%20")


def places(document: dict[str, Any]) -> list[Target]:
    """Every field of every body, every parameter of every path and query."""
    return [one for one in aiming.targets(document) if one.kind in ("value", "query", "path")]


def places_of_ehrs(world: EhrWorld) -> list[Target]:
    """Every parameter and id of the door for EHR systems, and every text that is created there."""
    aims = ehr_aiming.targets(world)
    found = [one for one in aims if one.kind in ("query", "form", "path") and _is_told(one)]
    for name, row in ehr_aiming.ROWS.items():
        if row.deed in ("create", "subscribe") and row.method == "POST":
            body = ehr_aiming.body_of(world, row)
            texts = [p for p, _ in ehr_aiming.places(body) if isinstance(aiming.at(body, p), str)]
            found += [Target(name, "value", place) for place in texts]
    return found


def _is_told(target: Target) -> bool:
    """Whether something is planted there: all types are searched alike, and some have to do."""
    row = ehr_aiming.ROWS[target.route]
    if row.kind in WHOLLY:
        return True
    return row.name == f"GET /{row.kind}" and target.place[0] in KINDS[row.kind].params


def sealed_as_stored() -> dict[str, str]:
    """Every sealed column as the database holds it, in one text each."""
    found = {}
    with db.transaction() as store:
        for table in db.metadata.sorted_tables:
            for column in table.c:
                if isinstance(column.type, Sealed):
                    raw = store.execute(select(cast(column, Text))).scalars().all()
                    found[f"{table.name}.{column.name}"] = " ".join(filter(None, raw))
    return found


def clear_as_stored() -> dict[str, str]:
    """Every column of words that is not sealed, and what is kept as JSON."""
    found = {}
    with db.transaction() as store:
        for table in db.metadata.sorted_tables:
            for column in table.c:
                if isinstance(column.type, String | JSON):
                    raw = store.execute(select(cast(column, Text))).scalars().all()
                    found[f"{table.name}.{column.name}"] = " ".join(filter(None, raw))
    return found
