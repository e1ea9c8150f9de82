"""The edge of the server: the headers that every answer bears, added as it leaves.

What they are worth here and not in the framework's headers: `benchmarks/README.md`.
"""

from collections.abc import Callable, Iterable
from typing import Any

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
OF_REQUEST = "freshtrail.headers"
"""Where in the environment of a request its own headers lie."""
ROUTE, REQUEST_ID = "freshtrail.route", "freshtrail.request_id"
"""Where its route, as the document writes it, and its id."""


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
