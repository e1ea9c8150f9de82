"""The files of signing keys: made whole, and looked at by every process at every token.

What a process once read it keeps while a file can't be opened: only what is taken away is
forgotten, so that a slip in the folder of keys signs nobody out.
"""

import json
import logging
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm

from api import key_files
from api.errors import Unsafe

PUBLISHED_FIRST = timedelta(hours=24)
"""How long a further key is published before it signs."""
STAMP = "%Y%m%dT%H%M%SZ"
NEXT, CURRENT, RETIRING = STATES = ("next", "current", "retiring")
SETTLED_NS = 100_000_000
"""Nanoseconds after which a second change of a folder has another time than the first."""
AGAIN_S: Final = 1.0
"""Seconds until a file that can't be opened is tried again: its folder tells nothing of that."""
NONE: Final = "There is no signing key; `flask --app wsgi keys make` makes one."
log = logging.getLogger("freshtrail")


@dataclass(frozen=True)
class SigningKey:
    """One key: the file it is in, since when it is published, and its state now."""

    kid: str
    path: Path
    published_at: datetime
    private: ec.EllipticCurvePrivateKey
    state: str = NEXT
    retiring_since: datetime | None = None


Mark = tuple[int, int, int]


@dataclass(frozen=True)
class Look:
    """What a look at a folder found, the oldest key first, and what could not be opened."""

    folder: Path
    mark: Mark | None
    keys: list[SigningKey]
    shut: frozenset[str]
    at: float

    @cached_property
    def private(self) -> dict[str, ec.EllipticCurvePrivateKey]:
        """The keys by their `kid`."""
        return {key.kid: key.private for key in self.keys}


class _Last:
    """The last look of this process that found a key."""

    look: Look | None = None


def make_keys(folder: Path) -> bool:
    """Make a signing key unless one is there; tells whether it was made."""
    with key_files.alone(folder):
        if _files(folder):
            return False
        add_key(folder)
        return True


def add_key(folder: Path, made_at: datetime | None = None) -> str:
    """Make a further signing key in a file of its own; answers its `kid`."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    kid = _thumbprint(private.public_key())
    stamp = (made_at or datetime.now(UTC)).astimezone(UTC).strftime(STAMP)
    key_files.put(folder / f"sign-{stamp}-{kid}.pem", pem)
    return kid


def _thumbprint(public: ec.EllipticCurvePublicKey) -> str:
    """The RFC 7638 thumbprint, base64url."""
    jwk = json.loads(ECAlgorithm.to_jwk(public))
    body = json.dumps({k: jwk[k] for k in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    return urlsafe_b64encode(sha256(body.encode()).digest()).rstrip(b"=").decode()


def check(folder: Path) -> None:
    """Raise `Unsafe`, which names the file, unless there are keys and all of them can be opened."""
    try:
        found = [_open(path) for path in _files(folder)]
    except FileNotFoundError:
        found = []
    except OSError as problem:
        why = type(problem).__name__
        raise Unsafe(f"The folder of keys can't be read ({why}).") from problem
    if not found:
        raise Unsafe(NONE)


def looked(folder: Path) -> Look:
    """The keys of the folder as it is now, and of what can't be opened those that were read before.

    A folder that is gone, can't be read or holds nothing at all, as where a disk is not mounted,
    takes no key away. Raises `Unsafe` without any.
    """
    last, mark = _Last.look, _mark(folder)
    before = last if last is not None and last.folder == folder else None
    if before is not None and _is_good(before, mark):
        return before
    look = _look(folder, mark, before)
    _say(look.shut - (before.shut if before is not None else frozenset()))
    if not look.keys:
        raise Unsafe(NONE)
    _Last.look = look
    return look


def _mark(folder: Path) -> Mark | None:
    """What tells a folder from the same one after a file came or went; None when it is gone.

    One that was changed just now is another at every look: its time may not tell the next change.
    """
    try:
        seen = folder.stat()
    except OSError:
        return None
    now = time.time_ns()
    is_settled = now - seen.st_mtime_ns > SETTLED_NS
    return seen.st_ino, seen.st_mtime_ns, 0 if is_settled else now


def _is_good(look: Look, mark: Mark | None) -> bool:
    return look.mark == mark and (not look.shut or time.monotonic() - look.at < AGAIN_S)


def _look(folder: Path, mark: Mark | None, before: Look | None) -> Look:
    known = {key.path: key for key in before.keys} if before is not None else {}
    try:
        paths = _files(folder)
        if not paths and not any(folder.iterdir()):
            raise FileNotFoundError
        found, shut = _opened(paths, known)
    except OSError:
        found, shut = [*known.values()], {folder.name}
    ordered = sorted(found, key=lambda key: (key.published_at, key.path))
    return Look(folder, mark, ordered, frozenset(shut), time.monotonic())


def _opened(paths: list[Path], known: dict[Path, SigningKey]) -> tuple[list[SigningKey], set[str]]:
    """The keys in some files, and the names of those for which what was known of them stands."""
    found, shut = list[SigningKey](), set[str]()
    for path in paths:
        try:
            found.append(_open(path))
        except FileNotFoundError:
            continue  # taken away just now
        except Unsafe:
            shut.add(path.name)
            found += [known[path]] if path in known else []
    return found, shut


def _say(shut: Iterable[str]) -> None:
    for name in sorted(shut):
        log.error(f"signing keys can't be read from {name}; what was read before is kept")


def _files(folder: Path) -> list[Path]:
    """The files of signing keys; raises `OSError` when the folder can't be read."""
    return sorted(path for path in folder.iterdir() if path.match("sign-*.pem"))


def _open(path: Path) -> SigningKey:
    """The key in a file; raises `Unsafe` for what is none, `FileNotFoundError` when it is gone."""
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as problem:
        raise Unsafe(f"{path.name} can't be opened ({type(problem).__name__}).") from problem
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Unsafe(f"{path.name} is not an elliptic-curve key of P-256.")
    return SigningKey(_thumbprint(key.public_key()), path, _stamp(path), key)


def _stamp(path: Path) -> datetime:
    """Since when the key is published, by its file's name; of one that tells no time, long ago."""
    try:
        return datetime.strptime(path.name.split("-")[1], STAMP).replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC) + PUBLISHED_FIRST
