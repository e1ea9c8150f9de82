"""Letters to people who can't sign in yet: for now a file that the demo and the tests read."""

import json
import os

from api.config import settings


def send(to: str, kind: str, token: str | None = None) -> None:
    """Put a letter, with its one-time token if any, where demo and tests find it: `mail.ndjson`.

    Production writes and logs nothing of it; there, mail comes with the outbox.
    """
    if settings().mode == "production":
        return
    path = settings().data / "mail.ndjson"
    line = json.dumps({"to": to, "kind": kind, "token": token}) + "\n"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
        file.write(line)
