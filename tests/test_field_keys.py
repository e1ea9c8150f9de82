"""Field keys change under a living database: whoever is killed in the middle has lost nothing."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest
from flask import Flask
from hypothesis import given, settings as runs, strategies as st
from sqlalchemy import select

from api import config, db, field_key_commands, field_keys, vault
from api.access.users import accounts, blind_email, email_of
from api.core import resealing
from api.core.treatment import notes
from api.errors import Unavailable, Unsafe
from tests import builders
from tests.conftest import empty_database

HOUSE = Path(__file__).parents[1]
KILLS: Final = int(os.environ.get("RESEAL_KILLS", "3"))
"""How often the resealing is killed; RESEAL_KILLS=50 is the whole of it."""
RESEAL: Final = """
from wsgi import app
from api.core import resealing
from api.core.treatment import notes
resealing.AT_ONCE = 20
print("begins", flush=True)
resealing.reseal(lambda done: print(done, flush=True))
"""
"""What the command does, in batches so small that there are many moments to be killed at."""
MOMENTS: Final = 35


@pytest.fixture
def shell(
    application: Flask, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """A database and a folder of keys of its own; `shell(*words)` runs a command of the keys."""
    from api.access import keys

    monkeypatch.setenv("FRESHTRAIL_DATA", str(tmp_path))
    with empty_database(tmp_path):
        field_keys.make_keys(tmp_path / "keys")
        keys.make_keys(tmp_path / "keys")
        field_keys._look(even_if_young=True)
        assert application.test_cli_runner().invoke(args=["migrate"]).exit_code == 0
        yield lambda *words: application.test_cli_runner().invoke(args=["keys", *words])
    monkeypatch.undo()
    config.settings.cache_clear()
    field_keys._look(even_if_young=True)


def fill(count: int) -> dict[Any, str]:
    """Patients with contact data, and their notes by id."""
    with db.transaction():
        scene = builders.make_scene()
        made = [
            builders.make_patient(scene.clinic_id, contact={"email": f"p{n}@x.example"})
            for n in range(count)
        ]
    return {row["id"]: row["contact"]["email"] for row in made}


def contacts() -> dict[Any, str]:
    table = db.metadata.tables["patients"]
    with db.transaction() as store:
        rows = store.rows(select(table).where(table.c.contact.is_not(None)), opens=table)
        people = store.rows(select(accounts))
    assert all(blind_email(email_of(one)) == one["email_blind"] for one in people)
    return {row["id"]: row["contact"]["email"] for row in rows if row["contact"]}


def test_killed_anywhere_everything_can_still_be_read(shell: Any, tmp_path: Path) -> None:
    written, chance = fill(800), random.Random(6)
    env = {**os.environ, "FRESHTRAIL_DATA": str(tmp_path)}
    halfway = 0
    for _kill in range(KILLS):
        assert shell("rotate-field").exit_code == 0
        command = [sys.executable, "-c", RESEAL]
        running = subprocess.Popen(command, cwd=HOUSE, env=env, stdout=subprocess.PIPE)
        assert running.stdout is not None
        for _batch in range(chance.randrange(1, MOMENTS)):
            running.stdout.readline()
        time.sleep(chance.uniform(0, 0.02))
        running.send_signal(signal.SIGKILL)
        running.communicate()
        assert running.returncode == -signal.SIGKILL, "killed, and not done"
        halfway += 0 < resealing.left()["patients"] < len(written)
        assert contacts() == written
    assert halfway > KILLS // 2, "most were killed in the middle of the patients"
    done = shell("reseal")
    assert done.exit_code == 0 and resealing.left() == {}, done.output
    assert contacts() == written


def test_of_charts_the_keys_are_sealed_anew_and_not_the_notes(shell: Any) -> None:
    with db.transaction():
        scene = builders.make_scene()
        value = {"kind": "psychotherapy", "text": "Firnwort"}
        made = notes.write_patient_note(scene["CT"].actor, scene.patient["id"], value)
        lies = raw_rows("psychotherapy_notes")
        old = raw_rows("chart_keys")
    assert shell("rotate-field").exit_code == 0 and shell("reseal").exit_code == 0
    with db.transaction():
        assert raw_rows("psychotherapy_notes") == lies
        [before], [after] = old, raw_rows("chart_keys")
        assert before["key"] != after["key"] and field_keys.current() in after["key"]
        assert notes.read_note(scene["CT"].actor, made["id"])["text"] == "Firnwort"


def raw_rows(name: str) -> list[db.Values]:
    table = db.metadata.tables[name]
    return db.store().rows(select(table).order_by(table.c.id))


def test_killed_on_their_way_to_charts_keys_all_notes_can_be_read(
    shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHART_KEYS", "later")
    config.settings.cache_clear()
    written: dict[Any, str] = {}
    with db.transaction():
        scene = builders.make_scene()
        for number in range(100 * KILLS):  # so that none comes to its end
            value = {"kind": "psychotherapy", "text": f"Firnwort {number}"}
            made = notes.write_patient_note(scene["CT"].actor, scene.patient["id"], value)
            written[made["id"]] = value["text"]
    monkeypatch.delenv("CHART_KEYS")
    config.settings.cache_clear()
    chance, halfway = random.Random(24), 0
    env = {**os.environ, "FRESHTRAIL_DATA": str(tmp_path)}
    for _kill in range(KILLS):
        command = [sys.executable, "-c", RESEAL]
        running = subprocess.Popen(command, cwd=HOUSE, env=env, stdout=subprocess.PIPE)
        assert running.stdout is not None
        for _batch in range(chance.randrange(2, 9)):
            running.stdout.readline()
        running.send_signal(signal.SIGKILL)
        running.communicate()
        assert running.returncode == -signal.SIGKILL, "killed, and not done"
        halfway += 0 < sum(resealing.left().values()) < 2 * len(written)
        assert said(scene, written) == written
    assert halfway
    assert shell("reseal").exit_code == 0 and resealing.left() == {}
    assert said(scene, written) == written
    with db.transaction():
        rows = raw_rows("psychotherapy_notes") + raw_rows("psychotherapy_note_versions")
        [key] = raw_rows("chart_keys")
    assert {vault.chart_key_of(row["text"]) for row in rows} == {key["id"]}


def said(scene: Any, written: Any) -> dict[Any, str]:
    """What the notes say, to their author."""
    with db.transaction():
        return {one: notes.read_note(scene["CT"].actor, one)["text"] for one in written}


def test_a_key_is_retired_only_when_nothing_lies_under_it(
    shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, old = fill(5), field_keys.current()
    assert "can be retired" in shell("retire-field", old).output or resealing.left(old)
    shell("rotate-field")
    assert "less than" in shell("retire-field", old).output
    monkeypatch.setattr(field_key_commands, "SETTLED_S", 0)
    told = shell("retire-field", old)
    assert told.exit_code == 1 and "patients (5)" in told.output
    assert shell("reseal").exit_code == 0
    assert shell("retire-field", old).exit_code == 0
    assert old not in field_keys.read_keys(tmp_path / "keys").keys
    assert contacts() == written
    with pytest.raises(Unsafe):
        field_keys.retire(tmp_path / "keys", field_keys.current())


def test_of_keys_that_are_made_and_forgotten_at_once_none_is_lost(
    shell: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "keys"
    former = [field_keys.current()]
    former += [field_keys.rotate(folder) for _ in range(3)]
    last = field_keys.rotate(folder)
    with ThreadPoolExecutor(12) as hands:
        made = [hands.submit(field_keys.rotate, folder) for _ in range(8)]
        for each in [hands.submit(field_keys.retire, folder, kid) for kid in former]:
            each.result()
        added = {each.result() for each in made}
    assert {*field_keys.read_keys(folder).keys} == {last} | added and len(added) == 8


def test_a_file_of_before_keeps_its_blind_indexes_when_its_key_goes(
    shell: Any, tmp_path: Path
) -> None:
    path = tmp_path / "keys" / field_keys.FILE
    made = field_keys.read_keys(path.parent)
    spelled = field_keys._spelled(made)
    import json

    content = json.loads(spelled)
    del content["blind"], content["replaced_at"]
    path.write_text(json.dumps(content))
    field_keys._look(even_if_young=True)
    before = vault.blind("jo@clinic.example", "accounts.email")
    shell("rotate-field")
    field_keys.retire(path.parent, made.current)
    assert vault.blind("jo@clinic.example", "accounts.email") == before


def test_a_process_that_was_not_told_opens_what_another_sealed_with_a_new_key(
    shell: Any, tmp_path: Path
) -> None:
    before = field_keys.read_keys(tmp_path / "keys")
    shell("rotate-field")
    sealed = vault.seal("snow", "t.c", "1")
    stamp = field_keys._Held.stamp
    field_keys._Held.masters, field_keys._Held.stamp = before, ()
    vault._key.cache_clear()
    vault._cipher.cache_clear()
    assert vault.unseal(sealed, "t.c", "1") == "snow" and field_keys._Held.stamp == stamp


WORDS = st.text(max_size=40)
IDS = st.uuids()


@runs(max_examples=200, deadline=None)
@given(WORDS, st.tuples(WORDS, IDS, IDS), st.tuples(WORDS, IDS, IDS))
def test_what_was_sealed_opens_in_its_place_and_nowhere_else(
    plain: str, here: tuple[Any, Any, Any], there: tuple[Any, Any, Any]
) -> None:
    clean = plain.encode("utf-8", "replace").decode()
    place, row, clinic = here
    place = place.encode("utf-8", "replace").decode()
    sealed = vault.seal(clean, place, row, clinic)
    assert vault.unseal(sealed, place, row, clinic) == clean
    other = there[0].encode("utf-8", "replace").decode()
    for moved in ((other, row, clinic), (place, there[1], clinic), (place, row, there[2])):
        if moved != (place, row, clinic):
            with pytest.raises(Unavailable):
                vault.unseal(sealed, *moved)
    with pytest.raises(Unavailable):
        vault.unseal(sealed, place, row, clinic, vault.PSYCHOTHERAPY)
