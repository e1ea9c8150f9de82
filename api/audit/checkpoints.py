"""Checkpoints: where a chain stood, signed and kept outside the database.

A chain alone can't show that its end was cut off, or that all of it was made anew. A checkpoint is
`origin`, `size`, `hash` and `time` in lines of their own, then a line with the Ed25519 signature
(RFC 8032) of those four, then an empty line; one file for each clinic, appended to and never
rewritten. A fifth line `recovery` says that a backup was restored by intent, and `torn` that what
stands before it was cut short while it was written, as where the power went, and told of nothing.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fcntl import LOCK_EX, flock
from functools import cache
from io import FileIO
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from api import key_files
from api.config import settings
from api.errors import Unsafe

FILE = "checkpoint-ed25519.pem"
ORIGIN = "freshtrail/audit/"
RECOVERY, TORN = MARKS = ("recovery", "torn")
SIGNATURE = 88
"""Signs of a signature: 64 bytes in base64."""
LONGEST = 1024
"""Bytes at the end of a file in which its last checkpoint lies for certain."""


@dataclass(frozen=True)
class Checkpoint:
    """What a chain was at a time; `good` is whether its signature is ours.

    One that is not good may be `torn`: the beginning of one of which the rest was never written.
    `after_torn` says, signed, that such stood before this one when it was written.
    """

    size: int
    hash: str
    at: str
    good: bool
    recovery: bool = False
    torn: bool = False
    after_torn: bool = False


def make_key(folder: Path) -> bool:
    """Make the signing key unless it is there; tells whether it was made."""
    made = Ed25519PrivateKey.generate()
    with key_files.alone(folder):
        if (folder / FILE).exists():
            return False
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        key_files.put(folder / FILE, pem)
        return True


def check() -> None:
    """Raise `Unsafe` unless there is a key to sign with, and it can be opened."""
    _key()


@cache
def _key() -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key((settings().keys / FILE).read_bytes(), None)
    except (OSError, ValueError) as problem:
        raise Unsafe("There is no checkpoint key; `flask --app wsgi keys make` makes one.") from (
            problem
        )
    if not isinstance(key, Ed25519PrivateKey):
        raise Unsafe(f"{FILE} is not an Ed25519 key.")
    return key


def file_of(folder: Path, clinic_id: UUID) -> Path:
    """The file of a clinic's checkpoints."""
    return folder / f"{clinic_id}.checkpoints"


def write(
    folder: Path,
    clinic_id: UUID,
    size: int,
    digest: str,
    at: datetime,
    recovery: bool = False,
    told: int | None = None,
) -> None:
    """Append a checkpoint, on the disk before this returns; raises `Unsafe` without a key.

    `told` is the size of the last one that is known to have been written: where what came after it
    was cut short, this one says so. Of one that can't be written whole nothing is left.
    """
    _key()
    lines = [f"{ORIGIN}{clinic_id}", str(size), digest, at.isoformat(timespec="microseconds")]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
    with os.fdopen(os.open(file_of(folder, clinic_id), flags, 0o666), "r+b", buffering=0) as file:
        flock(file, LOCK_EX)
        end = _end(file)
        if recovery:
            lines.append(RECOVERY)
        elif told is not None and _was_torn(end, folder, clinic_id, told):
            lines.append(TORN)
        said = "\n".join(lines)
        signed = b64encode(_key().sign(said.encode())).decode()
        apart = "" if not end or end.endswith("\n\n") else "\n\n"
        _append(file, f"{apart}{said}\n{signed}\n\n".encode())
    if not end:
        key_files.sync(folder)


def _end(file: FileIO) -> str:
    """What a file ends with: its last checkpoint, at least."""
    file.seek(max(file.seek(0, os.SEEK_END) - LONGEST, 0))
    return file.read().decode(errors="replace")


def _append(file: FileIO, content: bytes) -> None:
    """Put it behind what is there, on the disk, or leave that as it was."""
    length = file.seek(0, os.SEEK_END)
    try:
        while content:
            content = content[file.write(content) :]
        os.fsync(file.fileno())
    except BaseException:
        file.truncate(length)
        raise


def _was_torn(end: str, folder: Path, clinic_id: UUID, told: int) -> bool:
    """Whether a file ends with what was cut short after all that was told of: which is there."""
    *_, last = ["", *(block for block in end.split("\n\n") if block.strip("\n"))]
    if not last or not _read(last, clinic_id).torn:
        return False
    return max((one.size for one in read(folder, clinic_id) if one.good), default=0) >= told


def read(folder: Path, clinic_id: UUID) -> Iterator[Checkpoint]:
    """A clinic's checkpoints in the order of writing; one that can't be read is not good."""
    path = file_of(folder, clinic_id)
    if not path.exists():
        return
    for block in path.read_text(errors="replace").split("\n\n"):
        if block.strip():
            yield _read(block, clinic_id)


def _read(block: str, clinic_id: UUID) -> Checkpoint:
    *said, signature = block.strip("\n").split("\n")
    mark = said[4] if len(said) == 5 else ""
    try:
        _key().public_key().verify(b64decode(signature, validate=True), "\n".join(said).encode())
        good = said[0] == f"{ORIGIN}{clinic_id}" and (len(said) == 4 or mark in MARKS)
        size, is_recovery, is_after = int(said[1]), mark == RECOVERY, mark == TORN
        return Checkpoint(size, said[2], said[3], good, is_recovery, after_torn=is_after)
    except (InvalidSignature, ValueError, IndexError):
        return Checkpoint(0, "", "", good=False, torn=_is_torn(block.strip("\n"), clinic_id))


def _is_torn(block: str, clinic_id: UUID) -> bool:
    """Whether a block can be the beginning of a checkpoint: too short for a signature at its end.

    Where the power went a disk may have kept room for the rest, filled with nothing.
    """
    there, begins = block.rstrip("\0"), f"{ORIGIN}{clinic_id}\n"
    begun = there.startswith(begins) or begins.startswith(there)
    room = SIGNATURE + (there != block)
    return begun and len(there.rpartition("\n")[2]) < room
