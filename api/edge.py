"""The edge of the server: who asks from where, how long is waited, what every answer bears.

What the headers are worth here and not in the framework's: `benchmarks/README.md`.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from ipaddress import ip_address
from time import monotonic
from typing import Any

from api.errors import TooSlow

Environ = dict[str, Any]
Header = tuple[str, str]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]

ALWAYS: tuple[Header, ...] = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Vary", "Authorization, Accept"),
)
UNLESS_GIVEN: tuple[Header, ...] = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cache-Control", "no-store"),
)
HSTS: tuple[Header, ...] = (("Strict-Transport-Security", "max-age=63072000; includeSubDomains"),)
EXPOSED = [
    "ETag",
    "Link",
    "Location",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "Idempotent-Replayed",
    "WWW-Authenticate",
    "Deprecation",
    "Sunset",
    "Content-Disposition",
    "X-Request-ID",
]
"""What the scripts of a browser may read of an answer, beside its body."""
OF_REQUEST = "freshtrail.headers"
"""Where in the environment of a request its own headers lie."""
ROUTE, REQUEST_ID = "freshtrail.route", "freshtrail.request_id"
"""Where its route, as the document writes it, and its id."""
REFUSED = "freshtrail.refused"
"""Where door and kind lie of a refusal of whom nobody knows."""


READERS = 1024
"""Bodies that may be on their way at once in one process: as many as it keeps lines open."""


def address_of(environ: Environ, hops: int) -> str | None:
    """Where a request comes from, as the last of `hops` proxies of ours wrote it down.

    Each proxy adds the address that it was asked from; what stands before ours wrote is anybody's
    word. The line's own address where there are no such proxies, or no such address.
    """
    given: str | None = environ.get("REMOTE_ADDR")
    through = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if hops < 1 or len(through) < hops:
        return given
    try:
        return str(ip_address(through[-hops].strip().partition("%")[0]))
    except ValueError:
        return given


class Timely:
    """The body of a request, which has so many seconds to arrive; raises `TooSlow`.

    A thread of its own reads it, until the line is closed: one that never comes holds up nobody
    else longer than that.
    """

    def __init__(self, body: Any, seconds: float) -> None:
        self.body, self.seconds = body, seconds
        self.until: float | None = None

    def read(self, size: int = -1) -> bytes:
        """What has come, at most `size` bytes."""
        self.until = self.until or monotonic() + self.seconds
        reading = _readers().submit(self.body.read, size)
        try:
            return bytes(reading.result(max(0.0, self.until - monotonic())))
        except TimeoutError:
            reading.cancel()
            raise TooSlow("The body did not arrive in time.") from None


@cache
def _readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(READERS, "body")


def welcomed(inner: Wsgi, hops: int, seconds: float) -> Wsgi:
    """The same server, told where each request comes from, which does not wait for ever."""

    def outer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if hops:
            environ["REMOTE_ADDR"] = address_of(environ, hops)
        if environ.get("CONTENT_LENGTH") or "HTTP_TRANSFER_ENCODING" in environ:
            environ["wsgi.input"] = Timely(environ["wsgi.input"], seconds)
        return inner(environ, start_response)

    return outer


def dressed(inner: Wsgi, over_https: bool) -> Wsgi:
    """The same server, whose every answer bears our headers and those told of its request."""
    always = [*ALWAYS, *(HSTS if over_https else ())]

    def outer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[Header], *problem: Any) -> Any:
            given = {name.lower() for name, _ in headers}
            headers += always
            headers += [one for one in UNLESS_GIVEN if one[0].lower() not in given]
            headers += environ.get(OF_REQUEST, ())
            return start_response(status, headers, *problem)

        return inner(environ, start)

    return outer
