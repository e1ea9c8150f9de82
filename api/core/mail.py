"""Letters to people who can't sign in yet, or who should know: by way of the outbox.

Without a mail server, demo and test mode put them into a file that one reads instead.
"""

import json
import os

from api.config import settings
from api.db import store
from api.outbox import letters


def send(to: str, kind: str, token: str | None = None) -> None:
    """Let a letter of this kind go, with its one-time token if any, once the transaction is kept.

    Demo and test mode without a mail server: a line of `mail.ndjson` in the folder of data, now.
    """
    if _goes_out():
        letters.write(store(), kind, to, token)
        return
    path = settings().data / "mail.ndjson"
    line = json.dumps({"to": to, "kind": kind, "token": token}) + "\n"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
        file.write(line)


def send_to_nobody(kind: str, token: str) -> None:
    """Write what `send` writes for an address that has no account; it never goes anywhere."""
    if _goes_out():
        letters.write(store(), kind, None, token)


def _goes_out() -> bool:
    return settings().mode == "production" or bool(settings().smtp_host)
