"""Sweeping: every GET route there is, about every record there is, asked by anybody."""

import re
from collections.abc import Iterator
from itertools import product
from typing import Any
from uuid import uuid4

from flask import Flask

from tests.house import matrix
from tests.house.matrix import World

SINCE = "updated_since=2020-01-01T00:00:00Z"


class Swept:
    """A world in which something is hidden, and the ids by which a path may ask for it."""

    def __init__(self, app: Flask) -> None:
        self.world = World(app)
        self.ids: dict[str, list[str]] = {"patient_id": [self.world.ids["patient_id"]]}

    def addresses(self) -> Iterator[str]:
        """Every GET route about every entry, and its changes where it is a list."""
        for route, offer in matrix.routes(self.world.app).items():
            if not route.startswith("GET"):
                continue
            path = route.split()[1]
            names = re.findall(r"\{(\w+)\}", path)
            for values in product(*(self._known(name) for name in names)):
                full = path
                for name, value in zip(names, values, strict=True):
                    full = full.replace(f"{{{name}}}", value)
                yield from self._asked(route, full, offer)

    def _known(self, name: str) -> list[str]:
        if name not in self.ids:
            known = name in matrix.MADE_BY or name in matrix.OF_PERSONA
            self.ids[name] = [self.world.id(name) if known else str(uuid4())]
        return self.ids[name]

    def _asked(self, route: str, path: str, offer: Any) -> Iterator[str]:
        prefix = "" if offer is None else "/api/v1"
        needed = matrix.QUERIES.get(route, "")
        query = needed(self.world) if callable(needed) else needed
        yield prefix + path + query
        if offer is not None and offer.paged:
            yield prefix + path + (f"{query}&{SINCE}" if query else f"?{SINCE}&limit=100")

    def fetch(self, persona: str, address: str) -> Any:
        """One GET of any door as a persona."""
        token = self.world.caller(persona).token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.world.app.test_client().get(address, headers=headers)
