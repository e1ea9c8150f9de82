"""What a client's writes rest on: its user, its systems, and indexes of what was there before."""

from sqlalchemy import select

from api import db
from api.access.users import accounts, users
from api.core.client_reach import patient_systems
from api.core.patients.index import index_former_systems
from tests import builders
from tests.builders import Scene
from tests.fhir import charts


def test_numbers_of_before_are_found_once_the_index_is_filled(scene: Scene) -> None:
    ids = [{"system": charts.SYSTEM, "value": "7"}]
    with db.transaction() as store:
        who = builders.make_patient(scene.clinic_id, external_ids=ids)
        mine = patient_systems.c.patient_id == who["id"]
        store.execute(patient_systems.delete().where(mine))
    assert index_former_systems() == 1
    with db.transaction() as store:
        assert len(store.rows(select(patient_systems).where(mine))) == 1
    assert index_former_systems() == 0


def test_a_client_writes_as_a_user_with_whom_nobody_can_sign_in(app: object, scene: Scene) -> None:
    with db.transaction():
        charts.let_see_all(scene.clinic_id)
        client = charts.register(app, scene.clinic_id).sign_in()  # type: ignore[arg-type]
    told = {"resourceType": "Patient", "name": [{"family": "New", "given": ["One"]}]}
    assert client("POST", "/Patient", json=told).status_code == 201
    with db.transaction() as store:
        row = store.row(select(users).where(users.c.id == client.client_id))
        assert row is not None and row["role"] == "system" and row["privileges"] == []
        account = store.row(select(accounts).where(accounts.c.id == row["account_id"]))
    assert account is not None and account["password_hash"] is None
