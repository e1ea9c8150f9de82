"""Field encryption: what is sealed can be read only with keys that never lie in the database.

Envelope `v1.<key id>.<nonce>.<ciphertext>`, AES-256-GCM (NIST SP 800-38D), a key per clinic and
purpose derived by HKDF-SHA256 (RFC 5869) from a master key in a file: psychotherapy notes have one
of their own, which opens nothing else and is opened by nothing else. The associated data are table,
column, row id, clinic id and key id, so that a sealed value moved elsewhere does not open.

Below the clinic's key for psychotherapy notes every chart has one of its own, random, kept sealed
in the database: what lies under it (`v1.chart-<id>...`) is gone for ever once that one row is, from
every copy of the database that does not hold the row.
"""

import json
import os
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from hmac import new as hmac
from typing import Any, Final
from unicodedata import normalize
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from api.errors import Unavailable
from api.field_keys import KEY_BYTES, master, masters

VERSION = "v1"
NONCE_BYTES, NONCE_SIGNS = 12, 16
SEAL, PSYCHOTHERAPY = "seal", "psychotherapy"
"""What a key is for: the columns of every record, and psychotherapy notes alone."""
CHARTS: Final = "chart-"
"""How the ids of charts' keys begin in an envelope; those of field keys are hex digits alone."""
Ring = Mapping[str, bytes | None]
"""Charts' keys at hand by their id in envelopes; None for one that was destroyed."""
NO_RING: Final[Ring] = {}
AS_TEXT: Final = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
"""What the JSON writer would spell in a way of its own goes to us."""
GLOBAL = UUID(int=0)
"""Stands for "no clinic": accounts exist before anybody has chosen a clinic."""


@lru_cache(maxsize=4096)
def _key(kid: str, clinic_id: UUID, purpose: bytes) -> bytes:
    return _derived(master(kid), clinic_id, purpose)


@lru_cache(maxsize=4096)
def _derived(master: bytes, clinic_id: UUID, purpose: bytes) -> bytes:
    info = b"freshtrail|" + purpose + b"|" + clinic_id.bytes
    return HKDF(SHA256(), KEY_BYTES, None, info).derive(master)


@lru_cache(maxsize=4096)
def _cipher(kid: str, clinic_id: UUID, purpose: str) -> tuple[AESGCM, str]:
    """The cipher of a clinic's key, and what every value sealed with it is bound to."""
    return AESGCM(_key(kid, clinic_id, purpose.encode())), f"|{clinic_id}|{kid}"


def new_chart_key() -> str:
    """A random key for one chart, spelled as it is kept: sealed, in a row of its own."""
    return _b64(os.urandom(KEY_BYTES))


def chart_key(spelled: str) -> bytes:
    """A chart's key from its spelling; raises `Unavailable` for one that is none."""
    try:
        key = _unb64(spelled)
    except ValueError as problem:
        raise Unavailable("A chart's key can't be read.") from problem
    if len(key) != KEY_BYTES:
        raise Unavailable("A chart's key can't be read.")
    return key


def chart_kid(key_id: UUID) -> str:
    """How a chart's key is named in an envelope."""
    return f"{CHARTS}{key_id.hex}"


def chart_key_of(sealed: str) -> UUID | None:
    """The id of the chart's key under which something lies; None when it is a clinic's."""
    kid = sealed.split(".", 2)[1] if sealed.count(".") == 3 else ""
    try:
        return UUID(kid.removeprefix(CHARTS)) if kid.startswith(CHARTS) else None
    except ValueError:
        return None


def seal(
    plain: str,
    place: str,
    row_id: object,
    clinic_id: UUID = GLOBAL,
    purpose: str = SEAL,
    under: str = "",
    ring: Ring = NO_RING,
) -> str:
    """`plain` sealed for one `place` ("table.column") of one row; opens nowhere else.

    `under` names the key of a chart, which must be on the `ring`; else it is the clinic's.
    """
    return seal_bytes(plain.encode(), place, row_id, clinic_id, purpose, under, ring)


def seal_bytes(
    plain: bytes,
    place: str,
    row_id: object,
    clinic_id: UUID = GLOBAL,
    purpose: str = SEAL,
    under: str = "",
    ring: Ring = NO_RING,
) -> str:
    """Bytes, sealed as `seal` does."""
    kid = under or masters().current
    nonce = os.urandom(NONCE_BYTES)
    cipher, ours = _found(kid, clinic_id, purpose, ring)
    hidden = cipher.encrypt(nonce, plain, f"{place}|{row_id}{ours}".encode())
    return f"{VERSION}.{kid}.{_b64(nonce)}.{_b64(hidden)}"


def _found(kid: str, clinic_id: UUID, purpose: str, ring: Ring) -> tuple[AESGCM, str]:
    """The cipher of a key, and what a value sealed with it is bound to; a chart's is not kept."""
    if not kid.startswith(CHARTS):
        return _cipher(kid, clinic_id, purpose)
    key = ring.get(kid)
    if key is None:
        raise Unavailable("The key of a chart is not at hand.")
    return AESGCM(key), f"|{clinic_id}|{kid}"


def unseal(
    sealed: str,
    place: str,
    row_id: object,
    clinic_id: UUID = GLOBAL,
    purpose: str = SEAL,
    ring: Ring = NO_RING,
) -> str:
    """What was sealed; raises `Unavailable` when key, place, row or clinic do not match."""
    return unseal_bytes(sealed, place, row_id, clinic_id, purpose, ring).decode()


def unseal_bytes(
    sealed: str,
    place: str,
    row_id: object,
    clinic_id: UUID = GLOBAL,
    purpose: str = SEAL,
    ring: Ring = NO_RING,
) -> bytes:
    """The same, as UTF-8."""
    try:
        version, kid, nonce, hidden = sealed.split(".")
        if version != VERSION or len(nonce) != NONCE_SIGNS:
            raise ValueError("not an envelope of ours")
        cipher, ours = _found(kid, clinic_id, purpose, ring)
        bound = f"{place}|{row_id}{ours}".encode()
        data = _unb64(nonce + hidden)  # 12 bytes are 16 signs: the two can be read as one
        return cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], bound)
    except (InvalidTag, KeyError, ValueError) as problem:
        raise Unavailable("A protected field can't be opened.") from problem


def seal_json(
    value: Any,
    place: str,
    row_id: object,
    clinic_id: UUID = GLOBAL,
    purpose: str = SEAL,
    under: str = "",
    ring: Ring = NO_RING,
) -> str:
    """Any JSON value, sealed as `seal` does."""
    return seal_bytes(_spelled(value), place, row_id, clinic_id, purpose, under, ring)


def _spelled(value: Any) -> bytes:
    """A value as JSON; what JSON has not, such as a moment, as its text."""
    try:
        return orjson.dumps(value, _told, AS_TEXT)
    except TypeError:  # keys and numbers that only the slower one takes
        told = json.dumps(value, ensure_ascii=False, default=str, separators=(",", ":"))
        return told.encode()


def _told(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else str(value)


def unseal_json(
    sealed: str,
    place: str,
    row_id: object,
    clinic_id: UUID = GLOBAL,
    purpose: str = SEAL,
    ring: Ring = NO_RING,
) -> Any:
    """The JSON value that `seal_json` sealed."""
    return orjson.loads(unseal_bytes(sealed, place, row_id, clinic_id, purpose, ring))


def is_destroyed(sealed: str, ring: Ring) -> bool:
    """Whether it lies under the key of a chart that is known to be destroyed."""
    kid = sealed.split(".", 2)[1] if sealed.startswith(f"{VERSION}.{CHARTS}") else ""
    return kid in ring and ring[kid] is None


def blind(value: str, column: str, clinic_id: UUID = GLOBAL) -> str:
    """An index that finds equal values without telling them: HMAC-SHA256, hex, 64 characters."""
    key = _derived(masters().blind, clinic_id, b"blind|" + column.encode())
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
