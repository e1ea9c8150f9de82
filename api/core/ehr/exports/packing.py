"""Pieces of a file by gzip, and how they go out as one: some clients read the first member alone.

A piece is a member by itself (RFC 1952): its deflate data end at a byte with a full flush, and then
with an empty last block (RFC 1951). Without that block pieces follow each other in one member,
whose checksum is made of theirs; nothing is packed anew.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from struct import pack as packed, unpack as unpacked
from typing import Final

HARD: Final = 1
"""How hard gzip tries: the least, for it is the slowest step of a piece."""
HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
"""Of a member: deflate, no name, no time, the fastest, no system."""
LAST_BLOCK: Final = b"\x03\x00"
TRAILER: Final = "<II"
"""CRC-32 and length of what was packed, modulo 2^32."""
WRAP: Final = 2**32
ENDS: Final = len(LAST_BLOCK) + 8


def pack(lines: Sequence[bytes]) -> bytes:
    """Lines as one piece."""
    content = b"".join(line + b"\n" for line in lines)
    packer = zlib.compressobj(HARD, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(content) + packer.flush(zlib.Z_FULL_FLUSH)
    end = packer.flush()
    assert end == LAST_BLOCK, "after a flush the last block is empty"
    return HEADER + body + end + packed(TRAILER, zlib.crc32(content), len(content) % WRAP)


def unpack(piece: bytes) -> bytes:
    """The lines of a piece."""
    return gzip.decompress(piece)


def joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces one after the other as a single member of gzip."""
    checksum, length = zlib.crc32(b""), 0
    yield HEADER
    for piece in pieces:
        own, size = unpacked(TRAILER, piece[-8:])
        checksum, length = _following(checksum, own, size), (length + size) % WRAP
        yield piece[len(HEADER) : -ENDS]
    yield LAST_BLOCK + packed(TRAILER, checksum, length)


def _following(checksum: int, own: int, size: int) -> int:
    """The CRC-32 of what had a checksum and of what follows it, `size` bytes with one of their own.

    CRC-32 is linear but for a constant: what the first does to the second is what it does to as
    many noughts.
    """
    noughts = bytes(size)
    return own ^ zlib.crc32(noughts, checksum) ^ zlib.crc32(noughts)
