"""The way out: one request to a public address over TLS, and to nothing inside our own walls.

A name is resolved once and the connection made to the address that was checked, so that a name
which answers differently the next moment leads nowhere (OWASP SSRF prevention). No redirect is
followed, no proxy asked; of the answer to a POST only its status is read, of that to a GET so much
as the caller allows.
"""

import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, ip_address, ip_network
from threading import Timer
from time import monotonic
from typing import Final
from urllib.parse import SplitResult, urlsplit

from api.config import settings

CONNECT_S, TOTAL_S = 3, 15
"""Seconds to reach a receiver, and for the whole exchange."""
MAX_URL = 500
HTTPS = 443
NAME = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
OURS: Final = ("localhost", "local", "internal", "intranet", "lan", "home.arpa")
"""Names that never lead outside (RFC 6761, RFC 6762, RFC 8375)."""
INSIDE_V4: Final = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
            *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
            *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            "168.63.129.16/32",  # a cloud's own service, on a public address
        ),
    )
)
"""IANA's special-purpose IPv4 addresses."""
OUTSIDE_V6 = ip_network("2000::/3")
INSIDE_V6: Final = tuple(map(ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
"""What of the global unicast space leads elsewhere: tunnels that wrap an IPv4 address, examples."""


class NotSent(Exception):
    """Nothing was answered; `why` is one of the failures of `tables`."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Address:
    """Where a URL leads, and whether it was allowed by name."""

    host: str
    port: int
    path: str
    tls: bool
    is_allowed: bool


def read_url(url: str) -> Address:
    """Where the URL leads; raises `NotSent` for one that can't be a receiver's outside."""
    parts, port = _split(url)
    host = parts.hostname or ""
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    allowed = f"{host}:{port}" in settings().egress
    if not allowed and (parts.scheme != "https" or port != HTTPS or not _leads_outside(host)):
        raise NotSent("not_an_address")
    return Address(host, port, path, parts.scheme == "https", allowed)


def _split(url: str) -> tuple[SplitResult, int]:
    try:
        if len(url) > MAX_URL or not re.fullmatch(r"[\x21-\x7e]+", url) or "\\" in url:
            raise ValueError
        parts = urlsplit(url)
        usual = HTTPS if parts.scheme == "https" else http.client.HTTP_PORT
        port = usual if parts.port is None else parts.port
        plain = parts.scheme in ("https", "http") and "@" not in parts.netloc
        if not plain or parts.fragment or not parts.hostname:
            raise ValueError
    except ValueError:
        raise NotSent("not_an_address") from None
    return parts, port


def _leads_outside(host: str) -> bool:
    """Whether it is a public address, or a name that may be one of a host outside."""
    try:
        return is_public(str(ip_address(host)))
    except ValueError:
        ours = any(f".{host}".endswith(f".{name}") for name in OURS)
        return NAME.fullmatch(host) is not None and not ours


def is_public(address: str) -> bool:
    """Whether an address belongs to somebody outside: not private, shared, local or special."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in INSIDE_V4)
    return ip in OUTSIDE_V6 and not any(ip in network for network in INSIDE_V6)


@dataclass(frozen=True)
class Fetched:
    """What was answered to a GET: its status, its headers in lower case, and its body."""

    status: int
    headers: dict[str, str]
    body: bytes


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """The status that the receiver answered; raises `NotSent` when it answered none."""
    return _sent(url, "POST", body, headers, 0).status


def get(url: str, headers: dict[str, str], most: int) -> Fetched:
    """What a GET is answered; raises `NotSent` when that is nothing, or more than `most` bytes."""
    fetched = _sent(url, "GET", None, headers, most + 1)
    if len(fetched.body) > most:
        raise NotSent("too_large")
    return fetched


def _sent(url: str, method: str, body: bytes | None, headers: dict[str, str], most: int) -> Fetched:
    to, ends = read_url(url), monotonic() + TOTAL_S
    raw = _connect(to, _resolve(to))
    try:
        with _cut_off(raw, ends):
            return _exchange(to, raw, (method, body, headers), most)
    except (TimeoutError, ssl.SSLError, http.client.HTTPException, OSError) as problem:
        raise NotSent(_why(problem, ends)) from None


def _why(problem: Exception, ends: float) -> str:
    if isinstance(problem, TimeoutError) or monotonic() >= ends:
        return "too_slow"
    if isinstance(problem, ssl.SSLError):
        return "no_tls"
    return "not_http" if isinstance(problem, http.client.HTTPException) else "not_reached"


def _resolve(to: Address) -> list[str]:
    """The addresses of the host; one that is not public refuses them all."""
    try:
        found = socket.getaddrinfo(to.host, to.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotSent("not_resolved") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not to.is_allowed and not all(map(is_public, addresses)):
        raise NotSent("not_public")
    return addresses


def _connect(to: Address, addresses: list[str]) -> socket.socket:
    ends = monotonic() + CONNECT_S
    for address in addresses:
        try:
            left = ends - monotonic()
            if left > 0:
                return socket.create_connection((address, to.port), timeout=left)
        except OSError:
            continue
    raise NotSent("not_reached")


@contextmanager
def _cut_off(raw: socket.socket, ends: float) -> Iterator[None]:
    """End the exchange when its time is over, however slowly the other side drips."""
    same = raw.dup()  # stays ours while TLS takes the first one over
    timer = Timer(max(0.0, ends - monotonic()), _shut, [same])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        same.close()


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _exchange(
    to: Address, raw: socket.socket, asked: tuple[str, bytes | None, dict[str, str]], most: int
) -> Fetched:
    method, body, headers = asked
    raw.settimeout(TOTAL_S)
    with raw:
        channel = _tls().wrap_socket(raw, server_hostname=to.host) if to.tls else raw
        with channel:
            connection = http.client.HTTPConnection(to.host, to.port)
            connection.default_port = HTTPS if to.tls else http.client.HTTP_PORT
            connection.sock = channel
            connection.request(method, to.path, body, headers)
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Fetched(answer.status, told, answer.read(most) if most else b"")


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
