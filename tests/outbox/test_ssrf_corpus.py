"""Addresses that lead inside by a detour: none of them is ever connected to."""

import socket
from pathlib import Path
from typing import Any

import pytest

from api.outbox import egress

CORPUS = Path(__file__).with_name("ssrf.txt")
URLS = [
    line.partition(" -> ")[::2]
    for line in CORPUS.read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
"""Each address, and what its name resolves to, if it is a name."""


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was connected to; names resolve as the corpus says."""
    made: list[Any] = []
    inside = {egress_host(url): led.split() for url, led in URLS}

    def resolve(host: str, port: int, **_: Any) -> Any:
        found = inside.get(host)
        if not found:
            raise socket.gaierror(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    def connect(address: Any, *_: Any, **__: Any) -> Any:
        made.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(egress.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(egress.socket, "create_connection", connect)
    monkeypatch.setattr(socket.socket, "connect", lambda _self, address: connect(address))
    return made


def egress_host(url: str) -> str:
    """The host as the one way out reads it, or nothing."""
    try:
        return egress.read_url(url).host
    except egress.NotSent:
        return ""


def test_the_corpus_is_large_enough() -> None:
    assert len(dict(URLS)) == len(URLS) >= 60


@pytest.mark.parametrize(("url", "led"), URLS)
def test_it_is_refused_before_anything_is_connected_to(
    connected: list[Any], url: str, led: str
) -> None:
    with pytest.raises(egress.NotSent, match="not_public" if led else "not_an_address"):
        egress.post(url, b"", {})
    assert connected == []
