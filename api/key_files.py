"""Files of keys: whole on the disk before they have their name, changed by one at a time."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, flock
from pathlib import Path

from api.errors import Unsafe


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Whoever changes keys of this folder does it alone: others on this machine wait meanwhile.

    The folder is made where it is lacking; raises `Unsafe` when it can't be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as problem:
        why = type(problem).__name__
        raise Unsafe(f"The folder of keys can't be opened ({why}).") from problem
    try:
        flock(descriptor, LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def put(path: Path, content: bytes) -> None:
    """Put a whole file in its place, for its owner alone, on the disk before this returns.

    There is no moment at which half of it is there. Raises `Unsafe` when it can't be written: then
    nothing of it is left, and what was there before still is.
    """
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        _write(beside, content)
        beside.replace(path)
        sync(path.parent)
    except OSError as problem:
        why = type(problem).__name__
        raise Unsafe(f"{path.name} can't be written ({why}).") from problem
    finally:
        with suppress(OSError):
            beside.unlink()


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync(folder: Path) -> None:
    """Put the names of a folder on the disk: what a new file holds is lost without its name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
