"""The shelf: where backups lie, and what each says of itself."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import file_digest
from pathlib import Path
from typing import Any

MANIFEST, CHECKED = "manifest.json", "checked.json"
STAMP = "%Y%m%dT%H%M%SZ"
AT_REST = timedelta(hours=1)
"""How long a half-made backup lies untouched until nobody can be making it any more."""


def new_folder(shelf: Path) -> Path:
    """A new folder for a backup, named by the time; nobody else may look into it."""
    shelf.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = shelf / datetime.now(UTC).strftime(STAMP)
    folder.mkdir(mode=0o700)
    return folder


def sweep(shelf: Path) -> Iterator[Path]:
    """Remove what backups left that were killed while they were made; answers what is gone.

    Such a folder says nothing of itself, so that it serves nobody, and may hold charts' keys.
    """
    since = (datetime.now(UTC) - AT_REST).timestamp()
    for folder in sorted(shelf.glob("*")):
        if not _is_ours(folder) or (folder / MANIFEST).exists():
            continue
        if max(path.stat().st_mtime for path in (folder, *folder.iterdir())) < since:
            shutil.rmtree(folder)
            yield folder


def _is_ours(folder: Path) -> bool:
    try:
        datetime.strptime(folder.name, STAMP)
    except ValueError:
        return False
    return folder.is_dir()


def write_manifest(folder: Path, told: dict[str, Any]) -> None:
    """Write what the backup holds, as its last deed: a folder without it is no backup."""
    (folder / MANIFEST).write_text(json.dumps(told, indent=1) + "\n")


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the backup says of itself; raises `OSError` or `ValueError` when it says nothing."""
    told = json.loads((folder / MANIFEST).read_text())
    if not isinstance(told, dict) or not {"file", "sha256", "counts", "keys"} <= told.keys():
        raise ValueError(f"{MANIFEST} is not a list of what a backup holds")
    return told


def digest(file: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with file.open("rb") as content:
        return file_digest(content, "sha256").hexdigest()


def say_checked(folder: Path) -> None:
    """Write down that the backup was found whole, and when."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    (folder / CHECKED).write_text(json.dumps({"checked_at": now}) + "\n")


def newest_checked(shelf: Path) -> datetime | None:
    """When the newest backup that was found whole was made; None when there is none."""
    found = [folder.parent for folder in shelf.glob(f"*/{CHECKED}")]
    times = [datetime.fromisoformat(read_manifest(folder)["made_at"]) for folder in found]
    return max(times, default=None)
