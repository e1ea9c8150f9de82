"""Checkpoints: signed lines outside the database, and what was touched vouches for nothing."""

import os
import resource
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from api import config
from api.audit import checkpoints, verifying
from api.audit.checkpoints import Checkpoint
from api.db import new_id
from api.errors import Unsafe


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the key of the checkpoints is meanwhile."""
    monkeypatch.setitem(vars(config.settings()), "keys", tmp_path / "deep" / "keys")
    checkpoints._key.cache_clear()
    yield tmp_path / "deep" / "keys"
    monkeypatch.undo()
    checkpoints._key.cache_clear()


def test_the_key_is_made_once_and_for_its_owner_alone(keys: Path) -> None:
    before = os.umask(0)
    try:
        assert checkpoints.make_key(keys) is True
    finally:
        os.umask(before)
    [path] = keys.iterdir()
    made = path.read_bytes()
    assert isinstance(load_pem_private_key(made, None), Ed25519PrivateKey)
    assert made.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert path.name == "checkpoint-ed25519.pem" and path.stat().st_mode & 0o777 == 0o600
    assert keys.stat().st_mode & 0o777 == 0o700
    assert checkpoints.make_key(keys) is False and path.read_bytes() == made
    path.unlink()
    assert checkpoints.make_key(keys) is True and path.read_bytes() != made


def test_without_a_key_or_with_one_of_another_kind_nothing_is_told(keys: Path) -> None:
    told = (keys / "told", new_id(), 1, "ab" * 32, datetime.now(UTC))
    none = "^There is no checkpoint key; `flask --app wsgi keys make` makes one.$"
    with pytest.raises(Unsafe, match=none):
        checkpoints.write(*told)
    keys.mkdir(parents=True)
    other = ec.generate_private_key(ec.SECP256R1())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (keys / checkpoints.FILE).write_bytes(pem)
    with pytest.raises(Unsafe, match="^checkpoint-ed25519.pem is not an Ed25519 key.$"):
        checkpoints.write(*told)
    (keys / checkpoints.FILE).write_bytes(b"no key")
    with pytest.raises(Unsafe, match=none):
        checkpoints.write(*told)


AT = datetime(2026, 1, 1, 12, 30, 0, 5, tzinfo=UTC)


def test_a_checkpoint_is_written_in_the_published_form(keys: Path, tmp_path: Path) -> None:
    checkpoints.make_key(keys)
    public = load_pem_private_key((keys / checkpoints.FILE).read_bytes(), None).public_key()
    assert isinstance(public, Ed25519PublicKey)
    clinic_id, folder = UUID(int=7), tmp_path / "told" / "here"
    before = os.umask(0)
    try:
        checkpoints.write(folder, clinic_id, 3, "ab" * 32, AT)
    finally:
        os.umask(before)
    checkpoints.write(folder, clinic_id, 9, "cd" * 32, AT, recovery=True)
    [path] = folder.iterdir()
    assert path.name == f"{clinic_id}.checkpoints" and folder.stat().st_mode & 0o777 == 0o700
    first, second, rest = path.read_text().split("\n\n")
    for block, lines in (
        (first, [f"freshtrail/audit/{clinic_id}", "3", "ab" * 32]),
        (second, [f"freshtrail/audit/{clinic_id}", "9", "cd" * 32]),
    ):
        *said, signature = block.split("\n")
        assert said[:4] == [*lines, "2026-01-01T12:30:00.000005+00:00"]
        public.verify(b64decode(signature), "\n".join(said).encode())
    assert (first.count("\n"), second.split("\n")[4], rest) == (4, "recovery", "")
    assert [*checkpoints.read(folder, clinic_id)] == [
        Checkpoint(3, "ab" * 32, "2026-01-01T12:30:00.000005+00:00", True, False),
        Checkpoint(9, "cd" * 32, "2026-01-01T12:30:00.000005+00:00", True, True),
    ]
    assert [*checkpoints.read(folder, new_id())] == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: f" {text}",
        lambda text: f"X{text}",
        lambda text: text.replace("\n", " ", 4),
        lambda text: text.replace("\n3\n", "\n03\n"),
        lambda text: text.replace("\n\n", "!\n\n"),
        lambda text: text.replace("ab" * 32, "ac" * 32),
        lambda text: text.replace("\n", "\nrecovery\n", 1),
        lambda text: text[: len(text) // 2],
        lambda text: "\udcff\udcfe" + text,
        lambda text: "words\n\n",
    ],
)
def test_a_line_that_was_touched_vouches_for_nothing(tmp_path: Path, spoil: Any) -> None:
    clinic_id = UUID(int=7)
    checkpoints.write(tmp_path, clinic_id, 3, "ab" * 32, AT)
    path = checkpoints.file_of(tmp_path, clinic_id)
    path.write_text(spoil(path.read_text()), errors="surrogateescape")
    [one] = checkpoints.read(tmp_path, clinic_id)
    cut = spoil("0123456789") == "01234"
    assert one == Checkpoint(0, "", "", good=False, torn=cut)


def files_cut(folder: Path) -> Iterator[tuple[Path, bool]]:
    """A file of two checkpoints whose second was cut short, at every place; whether it stands."""
    path = checkpoints.file_of(folder, CLINIC)
    checkpoints.write(folder, CLINIC, 3, "ab" * 32, AT)
    first = path.stat().st_size
    checkpoints.write(folder, CLINIC, 9, "cd" * 32, AT)
    whole = path.read_bytes()
    for length in range(first, len(whole)):
        for filled in (b"", b"\0" * 1500):
            path.write_bytes(whole[:length] + filled)
            yield path, not filled and length >= len(whole) - 2
    path.unlink()


CLINIC = UUID(int=7)


def test_what_was_cut_short_anywhere_is_no_alarm_once_the_next_one_says_so(tmp_path: Path) -> None:
    for path, stands in files_cut(tmp_path):
        assert not verifying._is_spoiled([*checkpoints.read(tmp_path, CLINIC)])
        checkpoints.write(tmp_path, CLINIC, 12, "ef" * 32, AT, told=3)
        found = [*checkpoints.read(tmp_path, CLINIC)]
        assert [one.size for one in found if one.good] == [3, 9, 12] if stands else [3, 12]
        assert not verifying._is_spoiled(found), path.read_bytes()
        checkpoints.write(tmp_path, CLINIC, 15, "ef" * 32, AT, told=12)
        assert not [*checkpoints.read(tmp_path, CLINIC)][-1].after_torn


def test_what_was_told_and_is_cut_short_stays_an_alarm(tmp_path: Path) -> None:
    for path, _stands in files_cut(tmp_path):
        checkpoints.write(tmp_path, CLINIC, 12, "ef" * 32, AT, told=9)
        found = [*checkpoints.read(tmp_path, CLINIC)]
        had = found[1].good or len(found) == 2  # nothing of it is left: its head tells
        assert verifying._is_spoiled(found) is not had, path.read_bytes()
        assert found[-1].good and not found[-1].after_torn


def test_cut_short_twice_is_no_alarm_either(tmp_path: Path) -> None:
    path = checkpoints.file_of(tmp_path, CLINIC)
    checkpoints.write(tmp_path, CLINIC, 3, "ab" * 32, AT)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:100] + b"\n\n" + whole[:60] + b"\n\n")
    checkpoints.write(tmp_path, CLINIC, 9, "cd" * 32, AT, told=3)
    found = [*checkpoints.read(tmp_path, CLINIC)]
    assert [one.torn for one in found] == [False, True, True, False]
    assert found[-1].after_torn and not verifying._is_spoiled(found)


@pytest.mark.parametrize("room", [0, 1, 100, 230])
def test_one_that_can_not_be_written_leaves_nothing(tmp_path: Path, room: int) -> None:
    checkpoints.write(tmp_path, CLINIC, 3, "ab" * 32, AT)
    before = checkpoints.file_of(tmp_path, CLINIC).read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + room, limits[1]))
    try:
        with pytest.raises(OSError):
            checkpoints.write(tmp_path, CLINIC, 9, "cd" * 32, AT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert checkpoints.file_of(tmp_path, CLINIC).read_bytes() == before
    with pytest.MonkeyPatch.context() as patch, pytest.raises(OSError, match="cut off"):
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("cut off")))
        checkpoints.write(tmp_path, CLINIC, 9, "cd" * 32, AT)
    assert checkpoints.file_of(tmp_path, CLINIC).read_bytes() == before


def test_what_was_signed_of_more_lines_than_a_checkpoint_has_is_none(tmp_path: Path) -> None:
    clinic_id = UUID(int=7)
    for more in ("restored", "recovery\nrecovery", "torn\ntorn", "torn\nrecovery"):
        said = f"freshtrail/audit/{clinic_id}\n3\n{'ab' * 32}\n{AT.isoformat()}\n{more}"
        signed = b64encode(checkpoints._key().sign(said.encode())).decode()
        checkpoints.file_of(tmp_path, clinic_id).write_text(f"{said}\n{signed}\n\n")
        [one] = checkpoints.read(tmp_path, clinic_id)
        assert not one.good and not one.recovery
