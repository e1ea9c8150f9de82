"""How much room is left wherever something is written."""

import shutil
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from api.config import settings
from api.doctor.seen import OK, RED, Seen

LEAST_FREE: Final = 0.10
"""The share of a disk that should be free."""


def disk() -> Seen:
    """How much is free of each disk, and what lies there."""
    disks: dict[int, dict[str, Path]] = {}
    for name, path in _places().items():
        there = nearest(path)
        disks.setdefault(there.stat().st_dev, {})[name] = there
    for places in disks.values():
        used = shutil.disk_usage(next(iter(places.values())))
        free = used.free / used.total
        words = f"{free:.0%} free where there are {', '.join(places)}"
        yield (RED if free < LEAST_FREE else OK), words


def _places() -> dict[str, Path]:
    """What lies where; PostgreSQL alone knows where its own files are."""
    url, places = make_url(settings().url), {"data": settings().data}
    if url.get_backend_name() == "sqlite" and url.database:
        places["database"] = Path(url.database)
    return places | {"checkpoints": settings().checkpoints, "backups": settings().backups}


def nearest(path: Path) -> Path:
    """A path, or the folder above it that is there, in which it would be made."""
    return next(one for one in (path, *path.absolute().parents) if one.exists())
