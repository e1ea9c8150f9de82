"""A chart that is removed takes along what its patient's sign-in was made of, and answers kept."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pyotp
import pytest
from sqlalchemy import Table, select

from api import clock, db, vault
from api.access.users import password_resets, refresh_tokens, sign_ins, users
from api.core import factor_resets, half_sign_ins, second_factors
from api.core.factor_resets import factor_resets as resets
from api.core.purges import working
from api.core.purges.leaving import OF_ACCOUNT, OF_USER
from api.core.replay import idempotency_keys
from api.core.sign_ins import sign_in
from api.outbox import letters
from tests import builders
from tests.builders import PASSWORD, Scene
from tests.core.purging import agreed, as_it_is, held_of, work, years_later


def rows(table: Table, **same: Any) -> list[db.Values]:
    with db.transaction() as store:
        mine = (table.c[name] == value for name, value in same.items())
        return store.rows(select(table).where(*mine))


@pytest.fixture
def armed(scene: Scene) -> db.Values:
    """The patient signs in with a second factor, asked for a new password, and lost their codes."""
    ps = scene["PS"]
    with db.transaction():
        secret = str(second_factors.make_totp(ps.actor)["secret"])
    with db.transaction():
        second_factors.confirm_totp(ps.actor, pyotp.TOTP(secret).now())
    with db.transaction() as store:
        why = {"reason": "Lost phone and codes; seen in person."}
        factor_resets.ask_for_factor_reset(scene["CA"].actor, ps.user_id, why)
        user = db.found(store.row(select(users).where(users.c.id == ps.user_id)))
        again = {"token_hash": uuid4().hex, "account_id": user["account_id"]}
        ends = clock.now() + timedelta(minutes=30)
        store.execute(password_resets.insert().values(**again, expires_at=ends))
        for address in (ps.email, scene["PO"].email):
            letters.write(store, "password_reset", address, "t")
    half_sign_ins.open_half(user, half_sign_ins.new_token())
    db.store().commit()
    return user


def test_of_the_account_nothing_is_left(scene: Scene, armed: db.Values) -> None:
    mine, account = {"user_id": armed["id"]}, {"account_id": armed["account_id"]}
    opened = sign_in(scene["PO"].email, PASSWORD)
    db.store().commit()
    assert [t.name for t in OF_ACCOUNT if not rows(t, **account)] == []
    assert rows(resets, **mine) and rows(sign_ins, **mine)
    with years_later():
        agreed(scene)
        work(scene)
    for table in OF_ACCOUNT:
        assert rows(table, **account) == [], table.name
    for table in OF_USER:
        assert rows(table, **mine) == [], table.name
    assert rows(refresh_tokens, sign_in_id=opened["sign_in_id"]), "that of another"
    with db.transaction() as store:
        waiting = store.rows(select(letters.letters).where(letters.letters.c.state == "waiting"))
        told = {str(address_of(row)) for row in waiting}
    assert scene["PS"].email not in told and scene["PO"].email in told


def address_of(row: db.Values) -> Any:
    return vault.unseal_json(row["address"], letters.ADDRESS, row["id"])


def test_what_was_answered_of_the_chart_is_answered_no_more(call: Any, scene: Scene) -> None:
    chart = f"/patients/{scene.patient['id']}"
    ct, body = call("CT"), {"title": "Firnwort", "category": "boundaries"}
    other = f"/patients/{scene.other_patient['id']}"
    with db.transaction():
        builders.join_team(scene.other_patient, scene["CT"])
    for path, key in ((f"{chart}/goals", "mine"), (f"{other}/goals", "other")):
        assert ct.post(path, body, **{"idempotency-key": key}).status_code == 201
    call("PS").post(f"{chart}/goals", body, **{"idempotency-key": "theirs"})
    assert len(rows(idempotency_keys, clinic_id=scene.clinic_id)) == 3
    with years_later():
        agreed(scene)
        work(scene)
    left = rows(idempotency_keys, clinic_id=scene.clinic_id)
    assert sorted(row["answer"] is None for row in left) == [False, True]
    [told] = [row for row in left if row["answer"] is not None]
    assert told["patients"] == [str(scene.other_patient["id"])]


def test_the_worker_looks_after_it_by_itself(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "_clinics", lambda _which: [scene.clinic_id])
    with years_later():
        row = agreed(scene)
        assert working.purge_next() and not working.purge_next()
        assert as_it_is(row)["state"] == "done"
        working._Rest.looks_at = float("-inf")
        with db.transaction() as store:
            names = db.metadata.tables["patient_words"]
            keys = {"clinic_id": scene.clinic_id, "patient_id": scene.patient["id"]}
            store.execute(names.insert().values(word="late", **keys))
        assert working.look_after() and "patient_words" not in held_of(
            scene.clinic_id, scene.patient["id"]
        )
        assert not working.look_after(), "it looks again in a minute"


def test_a_purge_that_fails_is_tried_later_and_keeps_no_other_clinic_waiting(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with db.transaction():
        others = builders.make_scene()
    clinics = [scene.clinic_id, others.clinic_id]
    monkeypatch.setattr(working, "_clinics", lambda _which: clinics)
    real = working._begin

    def begin(row: db.Values) -> None:
        if row["clinic_id"] == scene.clinic_id:
            raise RuntimeError("no")
        real(row)

    with years_later():
        first, second = agreed(scene), agreed(others)
        monkeypatch.setattr(working, "_begin", begin)
        assert working.purge_next() and not working.purge_next()
        assert as_it_is(first)["state"] == "approved" and as_it_is(second)["state"] == "done"
        monkeypatch.setattr(working, "_begin", real)
        assert not working.purge_next(), "it rests for a minute"
        working._Rest.tries_at.clear()
        assert working.purge_next() and as_it_is(first)["state"] == "done"
