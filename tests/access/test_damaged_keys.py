"""Whatever happens in the folder of keys: nobody is signed out by it, and no answer is a fault."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from api import key_files
from api.access import client_tokens, keys, signing_files, tokens
from api.errors import Unsafe
from tests.access.conftest import forget
from tests.builders import Scene

Harm = Callable[[Path, Path], object]


def put_in_place(folder: Path, kind: str) -> None:
    """The folder goes, and another thing bears its name."""
    folder.rename(folder.with_name("unmounted"))
    if kind != "nothing":
        folder.mkdir() if kind == "folder" else folder.write_text("")


def shut(path: Path) -> None:
    """What can't be read, to an administrator of the machine neither."""
    path.unlink()
    path.mkdir()


HARMS: dict[str, Harm] = {
    "half a file": lambda _folder, path: path.write_bytes(path.read_bytes()[:100]),
    "an empty file": lambda _folder, path: path.write_bytes(b""),
    "a file that can't be read": lambda _folder, path: shut(path),
    "the folder is gone": lambda folder, _path: put_in_place(folder, "nothing"),
    "the folder is not mounted": lambda folder, _path: put_in_place(folder, "folder"),
    "the folder is a file": lambda folder, _path: put_in_place(folder, "file"),
}


def ask(app: Flask, path: str, token: str) -> Any:
    return app.test_client().get(path, headers={"Authorization": f"Bearer {token}"})


DOORS = ("/api/v1/me", "/.well-known/jwks.json", "/fhir/R4/Patient")


@pytest.fixture(params=HARMS)
def harm(request: pytest.FixtureRequest) -> Harm:
    return HARMS[request.param]


def test_what_a_process_has_read_it_keeps(
    app: Flask, folder: Path, scene: Scene, harm: Harm, caplog: pytest.LogCaptureFixture
) -> None:
    token, published = scene["CT"].token, keys.jwks()
    of_client = client_tokens.issue(scene["CT"].user_id, scene.clinic_id, "system/Patient.rs")
    harm(folder, keys.find(*keys.private_keys()).path)
    tokens._good.clear()
    if folder.exists():
        os.utime(folder)  # it is looked at anew
    for _ in range(3):
        assert ask(app, DOORS[0], token).status_code == 200
        assert ask(app, DOORS[0], scene["CT"].token).status_code == 200
    assert ask(app, DOORS[1], token).json == published and client_tokens.read(of_client)
    [said] = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert "can't be read" in said and str(folder.parent) not in said
    with pytest.raises(Unsafe):
        keys.check()


def test_a_process_that_never_read_one_says_that_it_is_not_available(
    app: Flask, folder: Path, scene: Scene, harm: Harm
) -> None:
    token = scene["CT"].token
    of_client = client_tokens.issue(scene["CT"].user_id, scene.clinic_id, "system/Patient.rs")
    harm(folder, keys.find(*keys.private_keys()).path)
    forget()
    for path, sent in zip(DOORS, (token, token, of_client), strict=True):
        answer = ask(app, path, sent)
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0, path
    assert ask(app, "/livez", token).status_code == 200


def test_a_file_that_was_never_whole_keeps_nobody_from_the_others(
    app: Flask, folder: Path, scene: Scene
) -> None:
    token = scene["CT"].token
    (folder / "sign-20260101T000000Z-half.pem").write_text("-----BEGIN PRIVATE KEY-----\nMIG")
    shut_off = folder / "sign-other.pem"
    shut_off.mkdir()
    for _ in ("while it runs", "from its beginning"):
        assert ask(app, DOORS[0], token).status_code == 200
        assert ask(app, DOORS[0], scene["CT"].token).status_code == 200
        forget()
    with pytest.raises(Unsafe, match="^sign-20260101T000000Z-half.pem can't be opened"):
        keys.check()


def test_what_is_taken_away_is_gone_though_another_can_not_be_read(
    app: Flask, folder: Path, scene: Scene
) -> None:
    token, (old,) = scene["CT"].token, keys.private_keys()
    new = keys.add_key(folder)
    assert {*keys.private_keys()} == {old, new}
    shut(keys.find(new).path)
    keys.find(old).path.unlink()
    assert {*keys.private_keys()} == {new}
    assert ask(app, DOORS[0], token).status_code == 401
    assert ask(app, DOORS[0], scene["CT"].token).status_code == 200


def test_a_file_that_vanishes_while_it_is_looked_for_is_taken_away(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old,) = keys.private_keys()
    new, real = keys.add_key(folder), signing_files._open
    gone = keys.find(old).path

    def vanishing(path: Path) -> Any:
        if path == gone:
            path.unlink()
        return real(path)

    monkeypatch.setattr(signing_files, "_open", vanishing)
    assert {*keys.private_keys()} == {new}


def test_a_file_that_opens_again_is_noticed_though_its_folder_tells_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old,) = keys.private_keys()
    new = keys.add_key(folder)
    path = keys.find(new).path
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    os.utime(folder, (0, 0))
    forget()
    assert {*keys.private_keys()} == {old}
    path.write_bytes(whole)
    monkeypatch.setattr(signing_files, "AGAIN_S", 60.0)
    assert {*keys.private_keys()} == {old}
    monkeypatch.setattr(signing_files, "AGAIN_S", 0.0)
    assert {*keys.private_keys()} == {old, new}


def test_a_disk_that_is_mounted_again_is_read_at_once(folder: Path) -> None:
    (old,) = keys.private_keys()
    put_in_place(folder, "folder")
    assert {*keys.private_keys()} == {old}
    new = keys.add_key(folder.with_name("unmounted"))
    folder.rmdir()
    folder.with_name("unmounted").rename(folder)
    assert {*keys.private_keys()} == {old, new}


@pytest.mark.parametrize("at", ["fsync", "replace"])
def test_of_a_key_that_can_not_be_written_nothing_is_left(
    app: Flask, folder: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def is_full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    before = [*folder.iterdir()]
    monkeypatch.setattr(*((os, "fsync") if at == "fsync" else (Path, "replace")), is_full)
    told = app.test_cli_runner().invoke(args=["keys", "add"])
    assert told.exit_code == 1 and "can't be written (OSError)" in told.output, told.output
    assert [*folder.iterdir()] == before
    with pytest.raises(Unsafe):
        keys.make_keys(folder / "other")
    assert not [*(folder / "other").iterdir()]


def test_what_stood_in_its_place_stays_until_a_file_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys.json"
    key_files.put(path, b"old")
    with monkeypatch.context() as patch, pytest.raises(Unsafe, match="^keys.json can't be"):
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("cut off")))
        key_files.put(path, b"new")
    assert path.read_bytes() == b"old" and [*tmp_path.iterdir()] == [path]
    key_files.put(path, b"new")
    assert path.read_bytes() == b"new" and path.stat().st_mode & 0o777 == 0o600


def test_keys_that_can_not_be_made_are_told_in_words(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unsafe, match="^The folder of keys can't be opened"):
        keys.make_keys(tmp_path / "file")
