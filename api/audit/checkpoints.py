"""Checkpoints: where a chain stood, signed and kept outside the database.

A chain alone can't show that its end was cut off, or that all of it was made anew. A checkpoint is
`origin`, `size`, `hash` and `time` in lines of their own, then a line with the Ed25519 signature
(RFC 8032) of those four, then an empty line; one file for each clinic, appended to and never
rewritten. A fifth line `recovery` says that a backup was restored by intent.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
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

from api.config import settings
from api.errors import Unsafe

FILE = "checkpoint-ed25519.pem"
ORIGIN = "freshtrail/audit/"
RECOVERY = "recovery"


@dataclass(frozen=True)
class Checkpoint:
    """What a chain was at a time; `good` is whether its signature is ours."""

    size: int
    hash: str
    at: str
    good: bool
    recovery: bool = False


def make_key(folder: Path) -> bool:
    """Make the signing key unless it is there; tells whether it was made."""
    path = folder / FILE
    if path.exists():
        return False
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    return True


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
    folder: Path, clinic_id: UUID, size: int, digest: str, at: datetime, recovery: bool = False
) -> None:
    """Append a checkpoint, on the disk before this returns; raises `Unsafe` without a key."""
    lines = [f"{ORIGIN}{clinic_id}", str(size), digest, at.isoformat(timespec="microseconds")]
    lines += [RECOVERY] if recovery else []
    said = "\n".join(lines)
    signed = b64encode(_key().sign(said.encode())).decode()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file_of(folder, clinic_id).open("a") as file:
        file.write(f"{said}\n{signed}\n\n")
        file.flush()
        os.fsync(file.fileno())


def read(folder: Path, clinic_id: UUID) -> Iterator[Checkpoint]:
    """A clinic's checkpoints in the order of writing; one that can't be read is not good."""
    path = file_of(folder, clinic_id)
    if not path.exists():
        return
    for block in path.read_text(errors="replace").split("\n\n"):
        if block.strip():
            yield _read(block.strip("\n").split("\n"), clinic_id)


def _read(lines: list[str], clinic_id: UUID) -> Checkpoint:
    said, signature = lines[:-1], lines[-1]
    recovery = len(said) == 5 and said[4] == RECOVERY
    try:
        _key().public_key().verify(b64decode(signature, validate=True), "\n".join(said).encode())
        good = said[0] == f"{ORIGIN}{clinic_id}" and (len(said) == 4 or recovery)
        return Checkpoint(int(said[1]), said[2], said[3], good, recovery)
    except (InvalidSignature, ValueError, IndexError):
        return Checkpoint(0, "", "", good=False)
