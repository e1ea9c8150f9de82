"""The shelf: files of a release in the data folder, made from its frozen rows when they lack."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from uuid import UUID

from api.config import settings
from api.core.release import frozen, package, writing
from api.core.release.tiers import shapes_of
from api.db import Values, new_id
from api.errors import NotFound, Unavailable

Say = Callable[[int], None]


def folder(release: Values) -> Path:
    """Where the files of a release lie."""
    return settings().data / "research" / UUID(str(release["id"])).hex


def make(release: Values, say: Say = lambda _percent: None) -> Mapping[str, int]:
    """Make every file anew from the frozen rows; answers the rows of each table.

    They appear together or not at all, whoever else makes them at the same time.
    """
    place = folder(release)
    fresh = place.with_name(f"{place.name}.{new_id().hex}")
    fresh.mkdir(parents=True, mode=0o700)
    counts: dict[str, int] = {}
    try:
        shapes = shapes_of(release["tier"])
        for done, shape in enumerate(shapes.values(), 1):
            counts[shape.name] = writing.write(fresh, shape, frozen.rows_of(release, shape.name))
            say(done * 100 // len(shapes))
        package.describe(fresh, release["number"], release["tier"])
        shutil.rmtree(place, ignore_errors=True)
        os.replace(fresh, place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return counts


def remove(release: Values) -> None:
    """Throw the files away."""
    shutil.rmtree(folder(release), ignore_errors=True)


def find(release: Values, name: str) -> tuple[Path, str]:
    """A file of a release that is ready, and its SHA-256; made anew where this machine has it not.

    Raises `NotFound` for a name that the manifest does not list, and `Unavailable` where the rows
    no longer give what the manifest says.
    """
    told = {one["name"]: one["sha256"] for one in release["manifest"]["files"]}
    if name not in told:
        raise NotFound("There is no such record.")
    path = folder(release) / name
    if not path.exists():
        make(release)
        if writing.digest(path) != told[name]:
            remove(release)
            raise Unavailable("The file is being looked after.")
    return path, told[name]
