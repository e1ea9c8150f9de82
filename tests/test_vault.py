"""Sealed fields: the envelope is what is written, opens where it was sealed, and nowhere else."""

import json
import os
import re
import stat
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from hashlib import sha256
from hmac import new as hmac
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import orjson
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, strategies as st
from sqlalchemy.sql import quoted_name

from api import config, db, field_keys, vault
from api.db import sealing
from api.errors import Unavailable, Unsafe

PLACE, ROW, CLINIC = "notes.text", "01a212f6-4109-70c5-a266-d513cbb740a6", UUID(int=7)
ANOTHER = {
    "place": "notes.words",
    "row_id": "01a212f6-4109-70c5-a266-d513cbb740a7",
    "clinic_id": UUID(int=8),
    "purpose": vault.PSYCHOTHERAPY,
}
HERE = {"place": PLACE, "row_id": ROW, "clinic_id": CLINIC, "purpose": vault.SEAL}
texts = st.text(st.characters(exclude_categories=["Cs"]))


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def master() -> tuple[str, bytes]:
    """The current key, read from its file by this test alone."""
    content = json.loads((config.settings().keys / "field-keys.json").read_text())
    return content["current"], urlsafe_b64decode(content["keys"][content["current"]])


def derived(clinic_id: UUID, purpose: bytes) -> bytes:
    info = b"freshtrail|" + purpose + b"|" + clinic_id.bytes
    return HKDF(SHA256(), 32, None, info).derive(master()[1])


@given(texts, st.sampled_from([vault.SEAL, vault.PSYCHOTHERAPY]))
def test_what_is_sealed_opens_again(plain: str, purpose: str) -> None:
    sealed = vault.seal(plain, PLACE, ROW, CLINIC, purpose)
    assert vault.unseal(sealed, PLACE, ROW, CLINIC, purpose) == plain
    assert vault.unseal_bytes(sealed, PLACE, ROW, CLINIC, purpose) == plain.encode()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
        lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    )
)
def test_any_json_value_opens_again(value: Any) -> None:
    sealed = vault.seal_json(value, PLACE, ROW, CLINIC)
    assert vault.unseal_json(sealed, PLACE, ROW, CLINIC) == value


def test_json_is_sealed_compact_in_its_own_signs_and_ids_as_words() -> None:
    one = uuid4()
    sealed = vault.seal_json({"a": "ä", "b": [1, one]}, PLACE, ROW, CLINIC)
    assert vault.unseal(sealed, PLACE, ROW, CLINIC) == f'{{"a":"ä","b":[1,"{one}"]}}'


class Kind(StrEnum):
    SNOW = "snow"


class Pair(NamedTuple):
    a: int
    b: int


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (datetime(2026, 11, 27, 9, 5, tzinfo=UTC), '"2026-11-27 09:05:00+00:00"'),
        (date(2026, 11, 27), '"2026-11-27"'),
        ({quoted_name("a", None): Kind.SNOW}, '{"a":"snow"}'),
        ({Kind.SNOW: 1}, '{"snow":1}'),
        ({1: True}, '{"1":true}'),
        (2**70, str(2**70)),
        (Pair(1, 2), "[1,2]"),
        ((1, [2]), "[1,[2]]"),
        (Path("snow"), '"snow"'),
    ],
)
def test_what_json_has_not_is_sealed_as_its_text(value: Any, told: str) -> None:
    sealed = vault.seal_json(value, PLACE, ROW, CLINIC)
    assert vault.unseal(sealed, PLACE, ROW, CLINIC) == told


@pytest.mark.parametrize("purpose", [vault.SEAL, vault.PSYCHOTHERAPY])
def test_the_envelope_is_opened_by_the_published_recipe(purpose: str) -> None:
    version, kid, nonce, hidden = vault.seal("Words.", PLACE, ROW, CLINIC, purpose).split(".")
    assert (version, kid, len(decoded(nonce))) == ("v1", master()[0], 12)
    bound = f"{PLACE}|{ROW}|{CLINIC}|{kid}".encode()
    cipher = AESGCM(derived(CLINIC, purpose.encode()))
    assert cipher.decrypt(decoded(nonce), decoded(hidden), bound) == b"Words."


def test_without_a_clinic_it_is_sealed_for_none() -> None:
    sealed = vault.seal("Words.", PLACE, ROW)
    assert (
        vault.unseal(sealed, PLACE, ROW, UUID(int=0))
        == "Words."
        == vault.unseal(sealed, PLACE, ROW)
    )
    as_json = vault.seal_json("Words.", PLACE, ROW)
    assert vault.unseal_json(as_json, PLACE, ROW, UUID(int=0), "seal") == "Words."
    assert vault.unseal_bytes(sealed, PLACE, ROW) == b"Words."
    assert vault.unseal_json(as_json, PLACE, ROW) == "Words."


@pytest.mark.parametrize("moved", ANOTHER)
def test_moved_elsewhere_it_does_not_open(moved: str) -> None:
    sealed = vault.seal("Words.", **HERE)  # type: ignore[arg-type]
    elsewhere = HERE | {moved: ANOTHER[moved]}
    for opens in (vault.unseal, vault.unseal_bytes, vault.unseal_json):
        with pytest.raises(Unavailable, match="^A protected field can't be opened.$"):
            opens(sealed, **elsewhere)
    with pytest.raises(Unavailable):
        vault.unseal(vault.seal("Words.", **elsewhere), **HERE)  # type: ignore[arg-type]


def test_sealed_twice_it_looks_another_each_time() -> None:
    told = {vault.seal("Words.", PLACE, ROW, CLINIC) for _ in range(200)}
    assert len({one.split(".")[2] for one in told}) == 200


@pytest.mark.parametrize("plain", ["", "W", "Wo", "Wor"])
def test_no_sign_of_it_can_be_changed_left_out_or_added(plain: str) -> None:
    sealed = vault.seal(plain, PLACE, ROW, CLINIC)
    assert "=" not in sealed and "+" not in sealed and "/" not in sealed
    changed = {sealed + sign for sign in ("A", "=", "==", ".", "é", " ", "\n")}
    for place in range(len(sealed)):
        changed.add(sealed[:place] + sealed[place + 1 :])
        for sign in "AQgw-_+/=.é":
            changed.add(sealed[:place] + sign + sealed[place + 1 :])
            changed.add(sealed[:place] + sign + sealed[place:])
    for one in changed - {sealed}:
        with pytest.raises(Unavailable):
            vault.unseal(one, PLACE, ROW, CLINIC)


@pytest.mark.parametrize(
    "sealed", ["", ".", "v1", "v1...", "v1.none.AAAAAAAAAAAAAAAA.AAAA", "é.é.é.é"]
)
def test_what_was_never_sealed_is_refused(sealed: str) -> None:
    with pytest.raises(Unavailable):
        vault.unseal(sealed, PLACE, ROW, CLINIC)


@given(st.binary(max_size=80))
def test_bytes_have_one_spelling(data: bytes) -> None:
    spelled = vault._b64(data)
    assert spelled == urlsafe_b64encode(data).rstrip(b"=").decode()
    assert vault._unb64(spelled) == data


@given(st.text("ABCQgw-_019", max_size=9))
def test_no_other_spelling_is_read(text: str) -> None:
    try:
        data = vault._unb64(text)
    except ValueError:
        return
    assert vault._b64(data) == text


@pytest.mark.parametrize("strange", ["++++", "////", "====", "\n\n\n\n", "!!!!", "    "])
def test_signs_that_are_none_are_not_passed_over(strange: str) -> None:
    for text in (f"AAAA{strange}", f"{strange}AAAA", f"AA{strange}AA"):
        with pytest.raises(ValueError):
            vault._unb64(text)


def test_json_lies_under_a_charts_key_too() -> None:
    kid, key = vault.chart_kid(uuid4()), vault.chart_key(vault.new_chart_key())
    sealed = vault.seal_json({"words": [1]}, **HERE, under=kid, ring={kid: key})  # type: ignore[arg-type]
    assert sealed.split(".")[1] == kid
    assert vault.unseal_json(sealed, **HERE, ring={kid: key}) == {"words": [1]}  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        vault.unseal_json(sealed, **HERE)  # type: ignore[arg-type]


@given(texts, st.uuids(), st.uuids(), st.sampled_from(sorted(ANOTHER)))
def test_what_lies_under_a_charts_key_opens_in_its_place_with_that_key_alone(
    plain: str, mine: UUID, other: UUID, moved: str
) -> None:
    kid, key = vault.chart_kid(mine), vault.chart_key(vault.new_chart_key())
    ring = {kid: key, vault.chart_kid(other): os.urandom(32)} | {kid: key}
    sealed = vault.seal(plain, **HERE, under=kid, ring=ring)  # type: ignore[arg-type]
    assert vault.unseal(sealed, **HERE, ring=ring) == plain  # type: ignore[arg-type]
    assert vault.chart_key_of(sealed) == mine and not vault.is_destroyed(sealed, ring)
    version, named, nonce, hidden = sealed.split(".")
    bound = f"{PLACE}|{ROW}|{CLINIC}|chart-{mine.hex}".encode()
    assert AESGCM(key).decrypt(decoded(nonce), decoded(hidden), bound) == plain.encode()
    # What it is for is said by the key itself, so that it is bound to all else alone.
    elsewhere = {**HERE, **({} if moved == "purpose" else {moved: ANOTHER[moved]})}
    wrong = [(sealed, ring, elsewhere)] if elsewhere != HERE else []
    wrong += [
        (sealed, {}, HERE),
        (sealed, {kid: os.urandom(32)}, HERE),
        (sealed, {kid: None}, HERE),
    ]
    if mine != other:
        wrong.append((sealed.replace(named, vault.chart_kid(other)), ring, HERE))
        wrong.append(
            (
                sealed.replace(named, vault.chart_kid(other)),
                {**ring, vault.chart_kid(other): key},
                HERE,
            )
        )
    for envelope, held, where in wrong:
        with pytest.raises(Unavailable):
            vault.unseal(envelope, **where, ring=held)  # type: ignore[arg-type]
    assert vault.is_destroyed(sealed, {kid: None}) and version == "v1"


@pytest.mark.parametrize("spelled", ["", "AAAA", "é", "A" * 42, "A" * 44])
def test_a_charts_key_that_is_none_is_refused(spelled: str) -> None:
    with pytest.raises(Unavailable):
        vault.chart_key(spelled)


@pytest.mark.parametrize(
    "sealed",
    ["", "v1.chart-.a.b", "v1.chart-zz.a.b", "v1.ab12.a.b", f"v1.{CLINIC.hex}.a.b", "chart-"],
)
def test_what_names_no_charts_key_is_under_none(sealed: str) -> None:
    assert vault.chart_key_of(sealed) is None and not vault.is_destroyed(sealed, {})


def test_bytes_are_sealed_as_words_are() -> None:
    sealed = vault.seal_bytes("Wörter.".encode(), PLACE, ROW)
    assert sealed.startswith(f"v1.{field_keys.current()}.")
    assert vault.unseal(sealed, PLACE, ROW) == "Wörter."
    assert vault.unseal_bytes(vault.seal("Wörter.", PLACE, ROW), PLACE, ROW).decode() == "Wörter."


def test_the_blind_index_is_the_published_recipe() -> None:
    content = json.loads((config.settings().keys / "field-keys.json").read_text())
    info = b"freshtrail|blind|accounts.email|" + CLINIC.bytes
    key = HKDF(SHA256(), 32, None, info).derive(urlsafe_b64decode(content["blind"]))
    wanted = hmac(key, b"alma@clinic.example", sha256).hexdigest()
    for spelled in ("alma@clinic.example", "ALMA@Clinic.Example", "ａlma@clinic.example"):
        assert vault.blind(spelled, "accounts.email", CLINIC) == wanted
    assert vault.blind("STRASSE", "a.b", CLINIC) == vault.blind("straße", "a.b", CLINIC)


def test_the_blind_index_tells_nothing_across_columns_and_clinics() -> None:
    told = {
        vault.blind("alma", column, clinic_id)
        for column in ("a.b", "a.c")
        for clinic_id in (CLINIC, UUID(int=8), UUID(int=0))
    }
    assert len(told) == 6 and all(len(one) == 64 for one in told)
    assert vault.blind("alma", "a.b") == vault.blind("alma", "a.b", UUID(int=0))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the keys are meanwhile; nothing derived from others is remembered."""
    monkeypatch.setitem(vars(config.settings()), "keys", tmp_path / "keys")
    _forget()
    yield tmp_path / "keys"
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    field_keys._Held.masters, field_keys._Held.stamp = None, ()
    field_keys._Held.looked_at = float("-inf")
    for cached in (vault._key, vault._cipher):
        cached.cache_clear()


def write(folder: Path, current: str, **keys: bytes) -> None:
    folder.mkdir(exist_ok=True)
    told = {kid: urlsafe_b64encode(key).decode() for kid, key in keys.items()}
    (folder / "field-keys.json").write_text(json.dumps({"current": current, "keys": told}))
    _forget()


def test_a_key_is_made_once_and_is_nobodys_but_ours(folder: Path) -> None:
    before = os.umask(0)
    try:
        assert field_keys.make_keys(folder / "deeper") is True
    finally:
        os.umask(before)
    path = folder / "deeper" / "field-keys.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    made = path.read_text()
    content = json.loads(made)
    [(kid, key)] = content["keys"].items()
    assert content["current"] == kid and len(kid) == 8 and len(urlsafe_b64decode(key)) == 32
    assert field_keys.make_keys(folder / "deeper") is False and path.read_text() == made
    path.unlink()
    assert field_keys.make_keys(folder / "deeper") is True


def test_after_a_rotation_the_new_key_seals_and_the_old_one_opens(folder: Path) -> None:
    old, new = os.urandom(32), os.urandom(32)
    write(folder, "b1", b1=old)
    sealed, blind = vault.seal("Words.", PLACE, ROW, CLINIC), vault.blind("alma", "a.b", CLINIC)
    write(folder, "a2", b1=old, a2=new)
    assert field_keys.key_ids() == ["a2", "b1"]
    assert vault.unseal(sealed, PLACE, ROW, CLINIC) == "Words."
    assert vault.seal("Words.", PLACE, ROW, CLINIC).startswith("v1.a2.")
    assert vault.blind("alma", "a.b", CLINIC) == blind  # what is found by it is found still
    swapped = sealed.replace(".b1.", ".a2.")
    with pytest.raises(Unavailable):
        vault.unseal(swapped, PLACE, ROW, CLINIC)
    write(folder, "a2", a2=new)
    with pytest.raises(Unavailable):
        vault.unseal(sealed, PLACE, ROW, CLINIC)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "FileNotFoundError"),
        ("{", "JSONDecodeError"),
        ("{}", "KeyError"),
        ('{"current": "a", "keys": {}}', "IndexError"),
        ('{"current": "a", "keys": {"a": "AAAA"}}', "ValueError"),
        ('{"current": "a", "keys": {"a": "A"}}', "Error"),
    ],
)
def test_keys_that_cannot_be_read_are_told_loudly(
    folder: Path, content: str | None, why: str
) -> None:
    folder.mkdir()
    if content is not None:
        (folder / "field-keys.json").write_text(content)
    with pytest.raises(Unsafe) as refused:
        vault.seal("Words.", PLACE, ROW)
    assert str(refused.value) == f"The field keys can't be read ({why})."


@pytest.mark.parametrize(
    ("key", "good"),
    [
        (bytes(range(32)), True),
        (bytes(range(31)), False),
        (bytes(range(33)), False),
        (bytes(32), False),
        (bytes(range(11)) * 2 + bytes(10), False),
        (bytes(range(12)) * 2 + bytes(8), True),
    ],
)
def test_a_key_is_thirty_two_bytes_and_none_that_somebody_made_up(
    folder: Path, key: bytes, good: bool
) -> None:
    for keys in ({"a": key}, {"a": os.urandom(32), "b": key}):
        write(folder, "a", **keys)
        if good:
            assert field_keys.read_keys(folder).keys == keys
            continue
        with pytest.raises(Unsafe, match="^The field keys can't be read .ValueError.[.]$"):
            field_keys.check()


def at(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """So long after the start of the process."""
    monkeypatch.setattr(field_keys, "monotonic", lambda: 1000.0 + seconds)


def test_other_keys_are_noticed_after_five_seconds_and_the_file_is_left_alone_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "b1", b1=os.urandom(32))
    at(monkeypatch, 0)
    assert field_keys.current() == "b1"
    content = (folder / "field-keys.json").read_text().replace("b1", "c3")
    (folder / "field-keys.json").write_text(content)
    at(monkeypatch, 5)
    assert field_keys.current() == "b1"
    at(monkeypatch, 5.1)
    assert field_keys.current() == "c3"
    (folder / "field-keys.json").write_text(content.replace("c3", "d4"))
    at(monkeypatch, 10)
    assert field_keys.current() == "c3"
    at(monkeypatch, 10.2)
    assert field_keys.current() == "d4"


def test_a_file_that_stayed_as_it_was_is_not_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "b1", b1=os.urandom(32))
    at(monkeypatch, 0)
    assert field_keys.current() == "b1"
    monkeypatch.setattr(field_keys, "read_keys", lambda _folder: pytest.fail("read again"))
    for seconds in (6, 12):
        at(monkeypatch, seconds)
        assert field_keys.current() == "b1"


@pytest.mark.parametrize("content", [None, "{", "{}"])
def test_a_process_that_has_its_keys_keeps_them_when_their_file_breaks_and_says_so(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    content: str | None,
) -> None:
    write(folder, "b1", b1=os.urandom(32))
    at(monkeypatch, 0)
    sealed = vault.seal("Words.", PLACE, ROW, CLINIC)
    (folder / "field-keys.json").unlink()
    if content is not None:
        (folder / "field-keys.json").write_text(content)
    at(monkeypatch, 6)
    assert vault.seal("Words.", PLACE, ROW, CLINIC).startswith("v1.b1.")
    assert vault.unseal(sealed, PLACE, ROW, CLINIC) == "Words."
    said = "the field keys can't be read anew; those that were read are kept"
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [("ERROR", said)]
    with pytest.raises(Unsafe):
        field_keys.check()


def test_a_rotation_leaves_one_private_file_and_tells_when_the_old_key_ceased(
    folder: Path,
) -> None:
    field_keys.make_keys(folder)
    before, began = field_keys.read_keys(folder), time.time()
    assert field_keys.current() == before.current
    kid = field_keys.rotate(folder)
    after = field_keys.read_keys(folder)
    assert field_keys.current() == kid == after.current and re.fullmatch("[0-9a-f]{8}", kid)
    assert after.keys == {**before.keys, kid: after.keys[kid]} and after.blind == before.blind
    assert [*after.replaced_at] == [before.current]
    assert began <= after.replaced_at[before.current] <= time.time()
    [path] = folder.iterdir()
    assert path.name == "field-keys.json" and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(field_keys.key_ids()) == {kid, before.current}


def test_what_is_retired_opens_nothing_from_then_on_and_what_seals_is_not_retired(
    folder: Path,
) -> None:
    field_keys.make_keys(folder)
    old = field_keys.current()
    sealed = vault.seal("Words.", PLACE, ROW, CLINIC)
    kid = field_keys.rotate(folder)
    only = "^Only a key that was there before the current one can be retired.$"
    for name in (kid, "nobody"):
        with pytest.raises(Unsafe, match=only):
            field_keys.retire(folder, name)
    field_keys.retire(folder, old)
    vault._key.cache_clear()
    vault._cipher.cache_clear()
    assert field_keys.key_ids() == [kid]
    with pytest.raises(Unavailable):
        vault.unseal(sealed, PLACE, ROW, CLINIC)
    with pytest.raises(KeyError):
        field_keys.master(old)


def test_a_sealed_column_goes_into_json_as_it_was_written_and_only_where_it_is_asked() -> None:
    table = db.metadata.tables["patients"]
    row = {"id": uuid4(), "clinic_id": CLINIC, "contact": {"email": "ä@x.example", "n": [1, None]}}
    lies = row | sealing.conceal(table, row, ["contact"])
    assert "example" not in str(lies["contact"])
    assert sealing.reveal(table, {**lies}) == row
    written = sealing.reveal(table, {**lies}, as_written=("contact",))["contact"]
    assert isinstance(written, orjson.Fragment), "it is not read on its way"
    assert orjson.dumps(written) == orjson.dumps(row["contact"])
    other = sealing.reveal(table, {**lies}, as_written=("address",))
    assert other == row
    assert sealing.reveal(None, {**lies}) == lies
    empty = {**row, "contact": None}
    assert sealing.conceal(table, empty, ["contact"]) == {"contact": None}
    assert sealing.reveal(table, {**empty}) == empty


# --- rows under the key of a chart


KEY_ID = UUID("01a212f6-4109-70c5-a266-d513cbb740a7")
KID = vault.chart_kid(KEY_ID)
NOTES = "psychotherapy_notes"


def chart_row(**more: Any) -> dict[str, Any]:
    """A row of notes as the database gives it, and its chart's key in the clear."""
    table, key = db.metadata.tables[NOTES], os.urandom(32)
    plain = {"text": "Words.", "sections": {"plan": "rest"}, "digest": "Short."}
    row = {"id": uuid4(), "clinic_id": CLINIC, "chart_key_id": KEY_ID} | plain
    return row | sealing.conceal(table, row, [*plain], {KID: key}) | {"of_chart": key} | more


def brought(key: bytes, clinic_id: UUID = CLINIC, key_id: UUID = KEY_ID) -> str:
    """A chart's key as its own row keeps it."""
    spelled = urlsafe_b64encode(key).decode().rstrip("=")
    of = ("chart_keys.key", key_id, clinic_id, vault.PSYCHOTHERAPY)
    return vault.seal_json(spelled, *of)


def words(row: dict[str, Any], **more: Any) -> list[Any]:
    shown = sealing.reveal(db.metadata.tables[NOTES], {**row}, **more)
    assert "chart_key" not in shown
    return [shown[name] for name in ("text", "sections", "digest")]


READ = ["Words.", {"plan": "rest"}, "Short."]


def test_a_key_that_a_row_brings_along_opens_it_and_those_after_it() -> None:
    row, ring = chart_row(), dict[str, bytes | None]()
    assert all(f"v1.{KID}." in row[name] for name in ("text", "sections", "digest"))
    along = brought(row["of_chart"])
    assert words(row | {"chart_key": along}) == READ
    assert words(row | {"chart_key": along}, ring=ring) == READ and ring == {KID: row["of_chart"]}
    assert words(row, ring=ring) == READ
    assert words(row | {"chart_key": "spoiled"}, ring=ring) == READ, "the one at hand is taken"
    with pytest.raises(Unavailable):
        words(row)
    for other in (brought(row["of_chart"], UUID(int=8)), brought(row["of_chart"], key_id=uuid4())):
        with pytest.raises(Unavailable):
            words(row | {"chart_key": other})


def test_of_a_destroyed_key_only_what_lay_under_it_is_gone() -> None:
    row, ring = chart_row(), dict[str, bytes | None]()
    gone = {"chart_key": None, "destroyed_at": "2026-01-01"}
    assert words(row | gone, ring=ring) == [None] * 3 and ring == {KID: None}
    older = {"id": row["id"], "clinic_id": CLINIC, "digest": "Short."}
    under_the_clinic = sealing.conceal(db.metadata.tables[NOTES], older, ["digest"])
    assert words(row | under_the_clinic, ring=ring) == [None, None, "Short."]
    with pytest.raises(Unavailable):  # not brought along is not destroyed
        words(row | {"chart_key": None}, ring={})


def test_a_row_that_names_no_key_or_has_no_column_for_one_lies_under_its_clinics() -> None:
    patients = db.metadata.tables["patients"]
    row = {"id": uuid4(), "clinic_id": CLINIC, "contact": {"email": "a@x.example"}}
    lies = sealing.conceal(patients, row | {"chart_key_id": KEY_ID}, ["contact"])
    assert sealing.reveal(patients, row | lies) == row
    notes, ring = db.metadata.tables[NOTES], dict[str, bytes | None]()
    old = {"id": uuid4(), "clinic_id": CLINIC, "chart_key_id": None, "digest": "Old."}
    shown = old | sealing.conceal(notes, old, ["digest"]) | {"text": None, "sections": None}
    assert words(shown | {"chart_key": None}, ring=ring) == [None, None, "Old."] and ring == {}
    assert sealing.sealed_columns(notes) == ("text", "sections", "digest")
