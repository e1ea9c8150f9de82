"""Where this door stands: the address that references, links and tokens are made with."""

from contextvars import ContextVar
from typing import Final
from urllib.parse import urlsplit

from flask import has_request_context, request

from api.config import settings

PREFIX: Final = "/fhir/R4"
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")

_asked_at: ContextVar[str] = ContextVar("asked_at", default="")


def stand_at(base: str) -> None:
    """Go on, outside of requests, under the address at which an export was ordered."""
    _asked_at.set(base)


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
    if not has_request_context() and _asked_at.get():
        return _asked_at.get()
    return f"http://{settings().host}:{settings().port}{PREFIX}"
