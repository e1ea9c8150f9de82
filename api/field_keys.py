"""The master keys of sealed fields: a file beside the database, read by every process.

They are made once, replaced by `rotate`, forgotten by `retire`; a running process notices within
five seconds.
"""

import json
import logging
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, time

from api import key_files
from api.config import settings
from api.errors import Unsafe

KEY_BYTES = 32
LEAST_VARIETY = 12
"""Different bytes of a key; fewer in 32 random ones come about once in 10^25."""
FILE = "field-keys.json"
LOOK_S = 5.0
"""Seconds after which a process looks whether keys were rotated meanwhile."""
log = logging.getLogger("freshtrail")


@dataclass(frozen=True)
class Masters:
    """The master keys: the one that seals, those that still open, and the one that finds.

    The blind indexes have a key of their own, so that they stay good when the others change.
    `replaced_at` is when a key ceased to seal (seconds of the epoch).
    """

    current: str
    keys: Mapping[str, bytes]
    blind: bytes
    replaced_at: Mapping[str, float]


def make_keys(folder: Path) -> bool:
    """Make the master field keys unless they are there; tells whether they were made."""
    with key_files.alone(folder):
        if (folder / FILE).exists():
            return False
        kid = secrets.token_hex(4)
        fresh = Masters(kid, {kid: os.urandom(KEY_BYTES)}, os.urandom(KEY_BYTES), {})
        key_files.put(folder / FILE, _spelled(fresh).encode())
        return True


def rotate(folder: Path) -> str:
    """Make a new key that seals from now on, and answer its id; those before it still open.

    Running processes notice within five seconds. A process that dies meanwhile leaves the file as
    it was, or as it is to be.
    """
    kid = secrets.token_hex(4)
    with key_files.alone(folder):
        before = read_keys(folder)
        after = replace(
            before,
            current=kid,
            keys={**before.keys, kid: os.urandom(KEY_BYTES)},
            replaced_at={**before.replaced_at, before.current: time()},
        )
        key_files.put(folder / FILE, _spelled(after).encode())
    _look(even_if_young=True)
    return kid


def retire(folder: Path, kid: str) -> None:
    """Forget a key that seals no more; what is still sealed with it can't be opened after this."""
    with key_files.alone(folder):
        before = read_keys(folder)
        if kid == before.current or kid not in before.keys:
            raise Unsafe("Only a key that was there before the current one can be retired.")
        kept = {name: key for name, key in before.keys.items() if name != kid}
        key_files.put(folder / FILE, _spelled(replace(before, keys=kept)).encode())
    _look(even_if_young=True)


def _spelled(masters: Masters) -> str:
    content = {
        "current": masters.current,
        "keys": {kid: urlsafe_b64encode(key).decode() for kid, key in masters.keys.items()},
        "blind": urlsafe_b64encode(masters.blind).decode(),
        "replaced_at": dict(masters.replaced_at),
    }
    return json.dumps(content)


def read_keys(folder: Path) -> Masters:
    """The keys as their file has them; raises `Unsafe` for one that is missing, broken or weak."""
    try:
        content = json.loads((folder / FILE).read_text())
        keys = {kid: urlsafe_b64decode(key) for kid, key in content["keys"].items()}
        # A file of before has no key for blind indexes: they were found by its first one.
        blind = urlsafe_b64decode(content["blind"]) if "blind" in content else [*keys.values()][0]
        masters = Masters(content["current"], keys, blind, content.get("replaced_at", {}))
        for key in (*keys.values(), blind, keys[masters.current]):
            if len(key) != KEY_BYTES or len(set(key)) < LEAST_VARIETY:
                raise ValueError("a field key must have 32 random bytes")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as problem:
        raise Unsafe(f"The field keys can't be read ({type(problem).__name__}).") from problem
    return masters


class _Held:
    """The keys that this process has read, from where, and when it last looked."""

    masters: Masters | None = None
    stamp: tuple[object, ...] = ()
    looked_at = float("-inf")


def masters() -> Masters:
    """The keys at hand; read anew when their file has become another one."""
    if _Held.masters is None or monotonic() - _Held.looked_at > LOOK_S:
        _look()
    assert _Held.masters is not None
    return _Held.masters


def _look(even_if_young: bool = False) -> None:
    """Read the keys anew if their file is another one than before."""
    path = settings().keys / FILE
    try:
        there = path.stat()
        stamp = (path, there.st_mtime_ns, there.st_ino, there.st_size)
        if even_if_young or stamp != _Held.stamp:
            _Held.masters, _Held.stamp = read_keys(settings().keys), stamp
    except (OSError, Unsafe) as problem:
        if _Held.masters is None and isinstance(problem, Unsafe):
            raise
        if _Held.masters is None:
            raise Unsafe(f"The field keys can't be read ({type(problem).__name__}).") from problem
        log.error("the field keys can't be read anew; those that were read are kept")
    _Held.looked_at = monotonic()


def check() -> None:
    """Raise `Unsafe` unless the file of the keys is there and whole."""
    read_keys(settings().keys)


def current() -> str:
    """The id of the key that seals."""
    return masters().current


def master(kid: str) -> bytes:
    """One key by its id; `KeyError` when there is none of that id."""
    if kid not in masters().keys:
        _look()  # another process may have made it just now
    return masters().keys[kid]


def key_ids() -> list[str]:
    """The ids of the field keys at hand, in order."""
    return sorted(masters().keys)
