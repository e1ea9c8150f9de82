"""The guard over statements finds what it is there for, and lets the rest pass."""

import pytest
from sqlalchemy import exists, select

from api.access.users import sign_ins, users
from api.core.team_reach import session_clinicians
from tests.shadows import Shadowed


def test_a_condition_two_levels_down_that_asks_of_anybodys_row_is_found() -> None:
    named = exists().where(session_clinicians.c.clinician_id == sign_ins.c.user_id)
    of_user = exists().where(users.c.id == sign_ins.c.user_id, named)
    with pytest.raises(Shadowed, match="sign_ins taken anew"):
        str(select(sign_ins.c.id).where(of_user))
    with pytest.raises(Shadowed, match="sign_ins taken anew"):
        str(sign_ins.update().where(of_user))


def test_one_that_says_which_row_is_meant_passes() -> None:
    named = exists().where(session_clinicians.c.clinician_id == sign_ins.c.user_id)
    of_user = exists().where(users.c.id == sign_ins.c.user_id, named.correlate(sign_ins))
    assert "FROM session_clinicians " in str(select(sign_ins.c.id).where(of_user))
    assert "FROM session_clinicians " in str(sign_ins.update().where(of_user))
