"""Watching: what each request was and how long it took, as a line of the log and as figures.

Off unless asked for, so that it costs nothing: `LOG_LEVEL=info` writes the lines, `METRICS_PORT`
counts. Neither knows more of a request than its route as it is written in the document.
"""

import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter

from api.config import Settings
from api.edge import REFUSED, REQUEST_ID, ROUTE, Environ, Header, StartResponse, Wsgi

log = logging.getLogger("freshtrail.requests")
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""By this variable the library finds the files in which all workers count together."""
BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
Seen = Callable[[Environ, str, float], None]
"""Told of a request: what came of its environment, its status, seconds."""


def watched(inner: Wsgi, settings: Settings) -> Wsgi:
    """The same server, of whose requests those are told who asked; itself when nobody did."""
    tell: list[Seen] = []
    if settings.log_level in ("debug", "info"):
        tell.append(_line)
    if settings.metrics_port:
        tell.append(_counting(settings.metrics))
    return _watch(inner, tell) if tell else inner


def _watch(inner: Wsgi, tell: list[Seen]) -> Wsgi:
    def outer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        began, given = perf_counter(), ["500"]

        def start(status: str, headers: list[Header], *problem: object) -> object:
            given[0] = status[:3]
            return start_response(status, headers, *problem)

        try:
            return inner(environ, start)
        finally:
            seconds = perf_counter() - began
            for see in tell:
                see(environ, given[0], seconds)

    return outer


def _method(environ: Environ) -> str:
    """The method, where it is one that we know: anybody may send any word."""
    method = str(environ.get("REQUEST_METHOD", ""))
    return method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") else "other"


def _route(environ: Environ) -> str:
    return str(environ.get(ROUTE) or "none")


def _line(environ: Environ, status: str, seconds: float) -> None:
    told = {"method": _method(environ), "route": _route(environ), "status": int(status)}
    told |= {"request_id": environ.get(REQUEST_ID, "")}
    log.info("request", extra=told | {"duration_ms": round(seconds * 1000, 1)})


def _counting(folder: Path) -> Seen:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ.setdefault(FOLDER, str(folder))
    from prometheus_client import Counter, Histogram  # looks for the folder when it is imported

    labels = ["method", "route", "status"]
    count = Counter("freshtrail_requests", "Requests answered.", labels)
    refused = Counter("freshtrail_refusals", "Refusals of whom nobody knows.", ["door", "kind"])
    took = Histogram(
        "freshtrail_request_seconds", "Time to the answer.", ["method", "route"], buckets=BUCKETS_S
    )

    def see(environ: Environ, status: str, seconds: float) -> None:
        method, route = _method(environ), _route(environ)
        count.labels(method, route, status).inc()
        took.labels(method, route).observe(seconds)
        if REFUSED in environ:
            refused.labels(*environ[REFUSED]).inc()

    return see
