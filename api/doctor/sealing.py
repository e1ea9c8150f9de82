"""Whether what was done is sealed, and told outside of the database."""

import os
from pathlib import Path

from api import clock, db
from api.audit import checkpoints, seal
from api.config import settings
from api.doctor.disks import nearest
from api.doctor.seen import LAG, OK, RED, Seen
from api.errors import Unsafe


def trail() -> Seen:
    """How far seals and checkpoints are behind, and whether checkpoints can be written."""
    with db.within(finding=True), db.transaction() as store:
        waits = {
            "an event has not been sealed": seal.oldest_unsealed(store),
            "what is sealed has been in no checkpoint": seal.oldest_untold(store),
        }
    wrong = [*_not_written()]
    for words, since in waits.items():
        if since is not None and clock.now() - since > LAG:
            minutes = int((clock.now() - since).total_seconds() // 60)
            wrong.append(f"{words} for {minutes} minutes")
    yield from ((RED, words) for words in wrong)
    if not wrong:
        yield OK, "sealed and in checkpoints within minutes"


def _not_written() -> list[str]:
    """Why no checkpoint could be written, if any could not."""
    lacking = []
    try:
        checkpoints.check()
    except Unsafe as problem:
        lacking.append(str(problem))
    folder = settings().checkpoints
    files = folder.glob("*.checkpoints")
    if not _takes_files(nearest(folder)) or not all(os.access(one, os.W_OK) for one in files):
        lacking.append(f"checkpoints can't be written to {folder}")
    return lacking


def _takes_files(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
