"""The table of rights: what it does not grant is denied, and who acts is written down whole."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from api.access import policies
from api.access.policies import TABLE, Actor, Rights, Role

ACTOR = Actor(UUID(int=1), UUID(int=2), UUID(int=3), "v1", "r-4", "192.0.2.5")
RIGHTS = Rights(
    *(UUID(int=2), UUID(int=3), Role.CLINICIAN, "Jo", None, frozenset(), "UTC"),
    auth_time=datetime(2026, 1, 1, tzinfo=UTC),
)


@pytest.mark.parametrize("action", TABLE)
def test_a_role_is_granted_its_cell_and_nothing_where_there_is_none(action: str) -> None:
    for role in Role:
        assert policies.grant(role, action) == TABLE[action].get(role)
        assert policies.grant(role.value, action) == TABLE[action].get(role)
    assert policies.roles(action) == [role.value for role in Role if role in TABLE[action]]
    assert [Role(name) for name in policies.roles(action)] == sorted(
        TABLE[action], key=list(Role).index
    )


def test_an_action_or_a_role_that_nobody_knows_is_an_error_and_no_grant() -> None:
    for ask in (lambda: policies.grant(Role.SYSTEM, "chart:burn"), lambda: policies.roles("x")):
        with pytest.raises(KeyError):
            ask()
    with pytest.raises(ValueError):
        policies.grant("owner", "patient:read")


def test_who_did_it_is_written_down_whole() -> None:
    assert replace(ACTOR, known=RIGHTS).signature() == {
        "clinic_id": UUID(int=3),
        "actor_id": UUID(int=2),
        "role": "clinician",
        "sign_in_id": UUID(int=1),
        "door": "v1",
        "request_id": "r-4",
        "client_ip": "192.0.2.5",
    }


def test_nobody_has_rights_before_the_gate_has_looked() -> None:
    with pytest.raises(RuntimeError, match="^the gate has not identified this actor$"):
        ACTOR.signature()
    assert replace(ACTOR, known=RIGHTS).rights is RIGHTS


def test_a_patient_is_one_by_role_and_behind_a_link_nobody_writes() -> None:
    assert [role for role in Role if replace(RIGHTS, role=role).is_patient] == [Role.PATIENT]
    assert ACTOR.writer_id == UUID(int=2) and replace(ACTOR, door="link").writer_id is None
