"""Field encryption: what is sealed can be read only with keys that never lie in the database.

Envelope `v1.<key id>.<nonce>.<ciphertext>`, AES-256-GCM (NIST SP 800-38D), a key per clinic and
purpose derived by HKDF-SHA256 (RFC 5869) from a master key in a file: psychotherapy notes have one
of their own, which opens nothing else and is opened by nothing else. The associated data are table,
column, row id, clinic id and key id, so that a sealed value moved elsewhere does not open.
"""

import json
import logging
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from hmac import new as hmac
from pathlib import Path
from time import monotonic, time
from typing import Any
from unicodedata import normalize
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from api.config import settings
from api.errors import Unavailable, Unsafe

VERSION = "v1"
NONCE_BYTES, NONCE_SIGNS = 12, 16
KEY_BYTES = 32
LEAST_VARIETY = 12
"""Different bytes of a key; fewer in 32 random ones come about once in 10^25."""
SEAL, PSYCHOTHERAPY = "seal", "psychotherapy"
"""What a key is for: the columns of every record, and psychotherapy notes alone."""
GLOBAL = UUID(int=0)
"""Stands for "no clinic": accounts exist before anybody has chosen a clinic."""


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
    path = folder / FILE
    if path.exists():
        return False
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    kid = secrets.token_hex(4)
    fresh = Masters(kid, {kid: os.urandom(KEY_BYTES)}, os.urandom(KEY_BYTES), {})
    _write_private(path, _spelled(fresh))
    return True


def rotate(folder: Path) -> str:
    """Make a new key that seals from now on, and answer its id; those before it still open.

    Running processes notice within five seconds. A process that dies meanwhile leaves the file as
    it was, or as it is to be.
    """
    before, kid = read_keys(folder), secrets.token_hex(4)
    after = replace(
        before,
        current=kid,
        keys={**before.keys, kid: os.urandom(KEY_BYTES)},
        replaced_at={**before.replaced_at, before.current: time()},
    )
    _replace_private(folder / FILE, _spelled(after))
    _look(even_if_young=True)
    return kid


def retire(folder: Path, kid: str) -> None:
    """Forget a key that seals no more; what is still sealed with it can't be opened after this."""
    before = read_keys(folder)
    if kid == before.current or kid not in before.keys:
        raise Unsafe("Only a key that was there before the current one can be retired.")
    kept = {name: key for name, key in before.keys.items() if name != kid}
    _replace_private(folder / FILE, _spelled(replace(before, keys=kept)))
    _look(even_if_young=True)


def _spelled(masters: Masters) -> str:
    content = {
        "current": masters.current,
        "keys": {kid: urlsafe_b64encode(key).decode() for kid, key in masters.keys.items()},
        "blind": urlsafe_b64encode(masters.blind).decode(),
        "replaced_at": dict(masters.replaced_at),
    }
    return json.dumps(content)


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _replace_private(path: Path, text: str) -> None:
    """Put a whole file in the place of another; there is no moment at which neither is there."""
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    _write_private(beside, text)
    os.replace(beside, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


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


def _masters() -> Masters:
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
    return _masters().current


def _master(kid: str) -> bytes:
    if kid not in _masters().keys:
        _look()  # another process may have made it just now
    return _masters().keys[kid]


def key_ids() -> list[str]:
    """The ids of the field keys at hand, in order."""
    return sorted(_masters().keys)


@lru_cache(maxsize=4096)
def _key(kid: str, clinic_id: UUID, purpose: bytes) -> bytes:
    return _derived(_master(kid), clinic_id, purpose)


@lru_cache(maxsize=4096)
def _derived(master: bytes, clinic_id: UUID, purpose: bytes) -> bytes:
    info = b"freshtrail|" + purpose + b"|" + clinic_id.bytes
    return HKDF(SHA256(), KEY_BYTES, None, info).derive(master)


@lru_cache(maxsize=4096)
def _cipher(kid: str, clinic_id: UUID, purpose: str) -> tuple[AESGCM, str]:
    """The cipher of a clinic's key, and what every value sealed with it is bound to."""
    return AESGCM(_key(kid, clinic_id, purpose.encode())), f"|{clinic_id}|{kid}"


def seal(
    plain: str, place: str, row_id: object, clinic_id: UUID = GLOBAL, purpose: str = SEAL
) -> str:
    """`plain` sealed for one `place` ("table.column") of one row; opens nowhere else."""
    return seal_bytes(plain.encode(), place, row_id, clinic_id, purpose)


def seal_bytes(
    plain: bytes, place: str, row_id: object, clinic_id: UUID = GLOBAL, purpose: str = SEAL
) -> str:
    """Bytes, sealed as `seal` does."""
    kid = _masters().current
    nonce = os.urandom(NONCE_BYTES)
    cipher, ours = _cipher(kid, clinic_id, purpose)
    hidden = cipher.encrypt(nonce, plain, f"{place}|{row_id}{ours}".encode())
    return f"{VERSION}.{kid}.{_b64(nonce)}.{_b64(hidden)}"


def unseal(
    sealed: str, place: str, row_id: object, clinic_id: UUID = GLOBAL, purpose: str = SEAL
) -> str:
    """What was sealed; raises `Unavailable` when key, place, row or clinic do not match."""
    return unseal_bytes(sealed, place, row_id, clinic_id, purpose).decode()


def unseal_bytes(
    sealed: str, place: str, row_id: object, clinic_id: UUID = GLOBAL, purpose: str = SEAL
) -> bytes:
    """The same, as UTF-8."""
    try:
        version, kid, nonce, hidden = sealed.split(".")
        if version != VERSION or len(nonce) != NONCE_SIGNS:
            raise ValueError("not an envelope of ours")
        cipher, ours = _cipher(kid, clinic_id, purpose)
        bound = f"{place}|{row_id}{ours}".encode()
        data = _unb64(nonce + hidden)  # 12 bytes are 16 signs: the two can be read as one
        return cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], bound)
    except (InvalidTag, KeyError, ValueError) as problem:
        raise Unavailable("A protected field can't be opened.") from problem


def seal_json(
    value: Any, place: str, row_id: object, clinic_id: UUID = GLOBAL, purpose: str = SEAL
) -> str:
    """Any JSON value, sealed as `seal` does."""
    plain = json.dumps(value, ensure_ascii=False, default=str, separators=(",", ":"))
    return seal(plain, place, row_id, clinic_id, purpose)


def unseal_json(
    sealed: str, place: str, row_id: object, clinic_id: UUID = GLOBAL, purpose: str = SEAL
) -> Any:
    """The JSON value that `seal_json` sealed."""
    return orjson.loads(unseal_bytes(sealed, place, row_id, clinic_id, purpose))


def blind(value: str, column: str, clinic_id: UUID = GLOBAL) -> str:
    """An index that finds equal values without telling them: HMAC-SHA256, hex, 64 characters."""
    key = _derived(_masters().blind, clinic_id, b"blind|" + column.encode())
    return hmac(key, normalize("NFKC", value).casefold().encode(), sha256).hexdigest()


TO_URL = bytes.maketrans(b"+/", b"-_")
FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")
"""Between the two alphabets of base64 (RFC 4648); the standard one's own signs
are refused, and padding."""
SIGNS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
LAST = (b"", b"", SIGNS[::16], SIGNS[::4])
"""The last signs whose spare bits are zero, by how many signs are over: so bytes have one
spelling (RFC 4648, section 3.5). One sign over is none."""
PADDING = (b"", b"===", b"==", b"=")


def _b64(data: bytes) -> str:
    return b2a_base64(data, newline=False).rstrip(b"=").translate(TO_URL).decode()


def _unb64(text: str) -> bytes:
    spelled = text.encode().translate(FROM_URL)
    over = len(spelled) % 4
    if over and spelled[-1] not in LAST[over]:
        raise ValueError("not the one spelling of these bytes")
    return a2b_base64(spelled + PADDING[over], strict_mode=True)
