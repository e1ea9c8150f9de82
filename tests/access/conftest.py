"""A folder of keys of its own, and what a process knows of it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

from api.access import client_tokens, keys, signing_files, tokens
from api.config import settings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: Flask) -> Iterator[Path]:
    """A folder with one key of long ago, in use meanwhile."""
    changed = replace(settings(), data=tmp_path)
    monkeypatch.setattr(keys, "settings", lambda: changed)
    keys.add_key(tmp_path / "keys", datetime.now(UTC) - timedelta(days=100))
    yield tmp_path / "keys"
    forget()


def forget() -> None:
    """What a process knows that has just begun."""
    tokens._good.clear()
    client_tokens._good.clear()
    signing_files._Last.look = None
