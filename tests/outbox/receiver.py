"""A real receiver on this machine: an HTTP server that keeps what it was sent."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from api import config


@dataclass
class Message:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The id under which it was sent."""
        return self.headers["webhook-id"]

    @property
    def said(self) -> Any:
        """What the body says."""
        return json.loads(self.body)


@dataclass
class Receiver:
    """What came in so far, and how to answer the next one."""

    port: int = 0
    messages: list[Message] = field(default_factory=list)
    answer: Callable[[Any, Message], None] = lambda handler, _message: reply(handler, 204)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> set[str]:
        """The ids of all that came in."""
        return {message.id for message in self.messages}


def reply(handler: Any, status: int, **headers: str) -> None:
    """Answer with a status alone."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@contextmanager
def receiving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver that is listening and that the settings allow."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            message = Message(self.path, headers, body)
            receiver.messages.append(message)
            receiver.answer(self, message)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    receiver.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("FRESHTRAIL_EGRESS_ALLOW", f"127.0.0.1:{receiver.port}")
    config.settings.cache_clear()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        monkeypatch.undo()
        config.settings.cache_clear()
