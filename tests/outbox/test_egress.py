"""The way out leads outside: over TLS, to public addresses, and nowhere by a detour."""

import socket
import time
from typing import Any

import pytest

from api import config
from api.config import from_environment
from api.errors import Unsafe
from api.outbox import egress
from tests.outbox.receiver import Receiver, reply

INSIDE = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1"),
    *(
        "100.100.100.200",
        "169.254.169.254",
        "169.254.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
    ),
    *("192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16", "::"),
    *(
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
    ),
    *("64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1"),
    *("fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1"),
    *("5f00::1",),
]
OUTSIDE = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1"]
NO_RECEIVER = [
    *("http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://x.example/"),
    *("https://example.com:8443/", "https://example.com:80/", "https://user@example.com/"),
    *("https://user:secret@example.com/", "https://example.com/#part", "https:///path", "https://"),
    *(
        "https://localhost/",
        "https://LOCALHOST/",
        "https://app.localhost/",
        "https://printer.local",
    ),
    *("https://metadata.google.internal/", "https://router.lan/", "https://nas.home.arpa/"),
    *("https://db/", "https://2130706433/", "https://0x7f000001/", "https://017700000001/"),
    *("https://127.1/", "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:127.0.0.1]/"),
    *("https://169.254.169.254/latest/", "https://10.1.2.3/", "https://0/", "https://1.2.3/"),
    *("https://example.com\\@127.0.0.1/", "https://exa mple.com/", "https://example.com/\r\nx: y"),
    *(
        "https://ex\u00e4mple.com/",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://[fe80::1%25eth0]/",
    ),
    *("https://example.com:443443/", "https://example.com:x/", "https://.example.com/", "", "x"),
    *("https://-x.example/", "https://example.com:0/", "https://" + "a" * 600 + ".example/"),
]


@pytest.mark.parametrize("address", INSIDE)
def test_what_lies_inside_is_not_reached(address: str) -> None:
    assert not egress.is_public(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_what_lies_outside_is(address: str) -> None:
    assert egress.is_public(address)


@pytest.mark.parametrize("url", NO_RECEIVER)
def test_an_address_that_leads_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(egress.NotSent, match="not_an_address"):
        egress.read_url(url)


def test_an_ordinary_address_is_taken() -> None:
    to = egress.read_url("https://hooks.clinic.example/in?from=trail")
    assert (to.host, to.port, to.path) == ("hooks.clinic.example", 443, "/in?from=trail")
    assert to.tls and not to.is_allowed


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Names resolve to what the test says; connections are counted and refused."""
    answers: list[list[str]] = []
    tried: list[Any] = []

    def resolve(host: str, port: int, **_: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in answers.pop(0)]

    def connect(address: Any, timeout: float) -> Any:
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(egress.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(egress.socket, "create_connection", connect)
    return answers, tried


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_that_leads_inside_is_not_connected_to(resolved: Any, address: str) -> None:
    answers, tried = resolved
    answers.append([address])
    with pytest.raises(egress.NotSent, match="not_public"):
        egress.post("https://rebind.example/", b"", {})
    assert tried == []


def test_one_address_inside_among_others_refuses_them_all(resolved: Any) -> None:
    answers, tried = resolved
    answers.append(["8.8.8.8", "10.0.0.1"])
    with pytest.raises(egress.NotSent, match="not_public"):
        egress.post("https://rebind.example/", b"", {})
    assert tried == []


def test_a_name_is_resolved_once_and_connected_to_where_it_was_checked(resolved: Any) -> None:
    answers, tried = resolved
    answers += [["8.8.8.8"], ["127.0.0.1"]]
    with pytest.raises(egress.NotSent, match="not_reached"):
        egress.post("https://rebind.example/", b"", {})
    assert tried == [("8.8.8.8", 443)]
    assert answers == [["127.0.0.1"]], "never asked a second time"


def test_what_is_allowed_is_reached_without_tls(receiver: Receiver) -> None:
    assert egress.post(receiver.url, b"{}", {"x-test": "yes"}) == 204
    [message] = receiver.messages
    assert (message.path, message.body, message.headers["x-test"]) == ("/hook", b"{}", "yes")
    assert message.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_the_allowance_is_for_that_port_alone(receiver: Receiver) -> None:
    other = receiver.url.replace(str(receiver.port), str(receiver.port - 1))
    with pytest.raises(egress.NotSent, match="not_an_address"):
        egress.post(other, b"{}", {})


def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver) -> None:
    receiver.answer = lambda handler, _: reply(handler, 302, Location=receiver.url + "/inside")
    assert egress.post(receiver.url, b"{}", {}) == 302
    assert len(receiver.messages) == 1


def test_who_drips_is_cut_off(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(handler: Any, _message: Any) -> None:
        for _ in range(100):
            handler.wfile.write(b"H")
            handler.wfile.flush()
            time.sleep(0.1)

    monkeypatch.setattr(egress, "TOTAL_S", 0.6)
    receiver.answer = drip
    began = time.monotonic()
    with pytest.raises(egress.NotSent, match="too_slow"):
        egress.post(receiver.url, b"{}", {})
    assert time.monotonic() - began < 2


def test_who_says_nothing_is_not_waited_for(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(egress, "TOTAL_S", 0.4)
    receiver.answer = lambda _handler, _message: time.sleep(1)
    with pytest.raises(egress.NotSent, match="too_slow"):
        egress.post(receiver.url, b"{}", {})


def test_what_is_no_http_is_said_to_be_so(receiver: Receiver) -> None:
    receiver.answer = lambda handler, _: handler.wfile.write(b"220 mail\r\n\r\n")
    with pytest.raises(egress.NotSent, match="not_http"):
        egress.post(receiver.url, b"{}", {})


def test_tls_is_asked_for_where_the_address_says_so(receiver: Receiver) -> None:
    with pytest.raises(egress.NotSent, match="no_tls"):
        egress.post(receiver.url.replace("http:", "https:"), b"{}", {})
    assert receiver.messages == []


def test_production_takes_no_allowance() -> None:
    with pytest.raises(Unsafe, match="EGRESS"):
        from_environment({"FRESHTRAIL_EGRESS_ALLOW": "127.0.0.1:9"})
    allowed = from_environment({"FRESHTRAIL_MODE": "test", "FRESHTRAIL_EGRESS_ALLOW": "a:1, b:2"})
    assert allowed.egress == {"a:1", "b:2"}
    assert config.settings().mode == "test"
