"""The table `states.txt` as data, and a world in which tokens are those of before."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Flask

from api import db
from api.access.policies import Privilege
from tests import builders
from tests.conftest import Caller
from tests.house import matrix

TABLE = Path(__file__).with_name("states.txt")
EVERY = {"every route": ("reads", "writes"), "every read": ("reads",), "every write": ("writes",)}
"""Which of a state's cells such a line fills."""
Cells = dict[str, str]


@dataclass
class State:
    """A section of the table: cells by route; of every read, and of every write, a persona is
    mapped to a persona or a code."""

    name: str
    reads: Cells = field(default_factory=dict)
    writes: Cells = field(default_factory=dict)
    routes: dict[str, Cells] = field(default_factory=dict)

    def every(self, route: str) -> Cells:
        """What is said of every route of this kind."""
        return self.reads if route.startswith("GET") else self.writes

    @property
    def personas(self) -> list[str]:
        """Of whom every route is asked."""
        return [*{**self.reads, **self.writes}]


def table() -> list[State]:
    """The sections in their order."""
    found: list[State] = []
    for line in TABLE.read_text().splitlines():
        if line.startswith("["):
            found.append(State(line[1:].partition("]")[0]))
        elif line.strip() and not line.startswith("#"):
            _read(found[-1], *line.split("|"))
    return found


def _read(state: State, route: str, cells: str) -> None:
    for kind in EVERY.get(route.strip(), ()):
        setattr(state, kind, dict(cell.replace("=", ":=").split(":", 1) for cell in cells.split()))
    if route.strip() in EVERY:
        return
    named = state.routes.setdefault(" ".join(route.split()), {})
    for cell in cells.split():
        persona, code = cell.split(":")
        assert persona not in named, line_of(state, route)
        named[persona] = code


def line_of(state: State, route: str) -> str:
    """How a line of the table is named in a failure."""
    return f"[{state.name}] {route.strip()}"


class World(matrix.World):
    """The world of the matrix, in which tokens stay those of before."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        with db.transaction():
            everything = [one.value for one in Privilege]
            more = {"RX": {"privileges": everything}, "BY": {}}
            for name, values in more.items():
                person = builders.make_person(self.scene.clinic_id, **values)
                builders.join_team(self.scene.patient, person, "prescriber")
                self.scene.people[name] = person
        self.tokens = {name: person.token for name, person in self.scene.people.items()}

    def caller(self, persona: str) -> Caller:
        """A client with the persona's token of before; at the door of EHR systems another kind."""
        kind = AtFhir if persona == "SY" else Caller
        return kind(self.app.test_client(), self.tokens.get(persona))

    def move(self, persona: str, method: str, path: str, body: Any = None) -> Any:
        """Bring a state about; it must be possible."""
        headers = {"If-Match": "*"} if method in ("PATCH", "PUT", "DELETE") else {}
        answer = self.caller(persona)(method, path, body, **headers)
        assert answer.status_code < 300, (path, answer.status_code, answer.text)
        return answer.json

    def make(self, name: str, making: Callable[[], db.Values]) -> UUID:
        """Keep a record under a name of the paths."""
        with db.transaction():
            row_id = UUID(str(making()["id"]))
        self.ids[name] = str(row_id)
        return row_id


class AtFhir(Caller):
    """A client of the door of EHR systems."""

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """One request; paths are whole here."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {"Authorization": f"Bearer {self.token}", "Accept": "application/fhir+json"}
        return self.client.open(path, method=method, headers=sent, buffered=True)
