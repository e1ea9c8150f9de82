"""Where this door stands: the address that references, links and tokens are made with."""

from typing import Final
from urllib.parse import urlsplit

from flask import has_request_context, request

from api.config import settings

PREFIX: Final = "/fhir/R4"
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


def address() -> str:
    """The absolute address of the door, without a slash at its end.

    What a request says of its host is believed on loopback alone: an assertion made for another
    server must not become one for ours because somebody wrote that server's name into a header.
    """
    told = settings().public_url.rstrip("/")
    if told:
        return told + PREFIX
    if has_request_context() and settings().mode != "production":
        parts = urlsplit(request.host_url)
        if parts.hostname in LOOPBACK:
            return f"{parts.scheme}://{parts.netloc}{PREFIX}"
    return f"http://{settings().host}:{settings().port}{PREFIX}"
