"""What anybody may ask: life, readiness, public keys, and whom to tell of a weakness."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from flask import Flask

from api import db, schema
from api.access import keys, tokens
from api.config import settings
from tests.builders import Scene
from tests.v1.conftest import is_problem


def ask(app: Flask, path: str) -> Any:
    """One request without a token."""
    return app.test_client().get(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of keys, in use meanwhile."""

    def forget() -> None:
        tokens._public.cache_clear()
        tokens._good.clear()

    changed = replace(settings(), data=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(keys, "settings", lambda: changed)
        forget()
        yield tmp_path / "keys"
    forget()


def days_ago(days: float) -> datetime:
    """An instant that many days ago."""
    return datetime.now(UTC) - timedelta(days=days)


def test_it_lives_while_the_database_is_away(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "reachable", lambda: False)
    assert (ask(app, "/livez").status_code, ask(app, "/livez").json) == (200, {"status": "ok"})
    answer = ask(app, "/readyz")
    assert is_problem(answer, 503) and int(answer.headers["Retry-After"]) > 0


def test_it_is_ready_at_the_newest_schema_alone(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(app, "/readyz").json["status"] == "ok"
    for stands_at in (None, "0000"):
        monkeypatch.setattr(schema.db, "schema_version", lambda at=stands_at: at)
        assert is_problem(ask(app, "/readyz"), 503)


def test_the_published_keys_have_no_private_part(app: Flask) -> None:
    answer = ask(app, "/.well-known/jwks.json")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.json["keys"]
    for key in answer.json["keys"]:
        assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
        assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")


def test_a_stranger_verifies_a_token_with_the_published_keys(app: Flask, scene: Scene) -> None:
    published = jwt.PyJWKSet.from_dict(ask(app, "/.well-known/jwks.json").json)
    token = scene["CT"].token
    header = jwt.get_unverified_header(token)
    assert (header["alg"], header["typ"]) == ("ES256", "at+jwt")
    claims = jwt.decode(
        token, published[header["kid"]], ["ES256"], audience="freshtrail-v1", leeway=5
    )
    assert claims["sub"] == str(scene["CT"].user_id)
    assert not {"role", "privileges", "email"} & set(claims)


def test_a_key_signs_when_it_was_published_for_a_day(
    app: Flask, scene: Scene, folder: Path
) -> None:
    old = keys.add_key(folder, days_ago(90))
    first = scene["CT"].token
    new = keys.add_key(folder, days_ago(0.9))
    assert {key["kid"] for key in ask(app, "/.well-known/jwks.json").json["keys"]} == {old, new}
    assert keys.signing_key()[0] == old
    folder.joinpath(next(path.name for path in folder.iterdir() if new in path.name)).unlink()
    newest = keys.add_key(folder, days_ago(1.1))
    assert keys.signing_key()[0] == newest
    for token in (first, scene["CT"].token):
        headers = {"Authorization": f"Bearer {token}"}
        assert app.test_client().get("/api/v1/me", headers=headers).status_code == 200


def test_a_key_taken_away_takes_its_tokens_along(app: Flask, scene: Scene, folder: Path) -> None:
    keys.add_key(folder, days_ago(90))
    token = scene["CT"].token
    next(folder.iterdir()).unlink()
    keys.add_key(folder)
    headers = {"Authorization": f"Bearer {token}"}
    assert app.test_client().get("/api/v1/me", headers=headers).status_code == 401
    headers = {"Authorization": f"Bearer {scene['CT'].token}"}
    assert app.test_client().get("/api/v1/me", headers=headers).status_code == 200


def test_a_first_key_signs_at_once_and_its_file_is_for_its_owner_alone(
    app: Flask, folder: Path
) -> None:
    assert keys.make_keys(folder) and not keys.make_keys(folder)
    (path,) = folder.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.signing_key()[0] in path.name


def test_a_key_file_whose_name_tells_no_time_is_the_oldest(app: Flask, folder: Path) -> None:
    keys.add_key(folder, days_ago(2))
    (path,) = folder.iterdir()
    kid = keys.signing_key()[0]
    path.rename(folder / f"sign-{kid}.pem")
    newer = keys.add_key(folder, days_ago(2))
    assert [*keys.private_keys()] == [kid, newer] and keys.signing_key()[0] == newer


def test_security_txt_says_whom_to_tell_and_does_not_expire_soon(app: Flask) -> None:
    answer = ask(app, "/.well-known/security.txt")
    assert answer.content_type == "text/plain; charset=utf-8"
    fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert fields["Contact"].startswith(("mailto:", "https://"))
    expires = datetime.fromisoformat(fields["Expires"].replace("Z", "+00:00"))
    assert timedelta(days=90) < expires - datetime.now(UTC) < timedelta(days=366)
