"""One strict reader for every JSON body: its size, depth, numbers and strings are limited."""

from typing import Any

from flask import Request

from api.config import settings
from api.errors import Refusal
from api.strict import read_object

MEDIA = ("application/json", "application/merge-patch+json")


class WrongMedia(Refusal):
    """The body is not of a type that this operation reads."""

    kind = "wrong_media_type"


class TooLarge(Refusal):
    """The body is larger than this operation reads."""

    kind = "too_large"


def read_json(request: Request) -> dict[str, Any]:
    """The JSON object in the body; 415 for other types, 413 for too much, 400 if broken."""
    media = request.mimetype
    merge_patch = media == MEDIA[1] and request.method == "PATCH"
    if media != MEDIA[0] and not merge_patch:
        raise WrongMedia("Send application/json.")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise WrongMedia("Send the body without compression.")
    limit = settings().body_kib * 1024
    if (request.content_length or 0) > limit:
        raise TooLarge(f"At most {settings().body_kib} KiB.")
    # Read whole and kept at hand, for the idempotency key is bound to it. A body whose length was
    # not told is cut off one byte past the limit.
    raw = request.get_data()
    if len(raw) > limit:
        raise TooLarge(f"At most {settings().body_kib} KiB.")
    return read_object(raw)
