"""The state machine of sessions, without a database."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from api.access.policies import Role
from api.core.treatment import moves

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
STEPS = {
    ("scheduled", "arrived"),
    ("arrived", "in_progress"),
    ("in_progress", "completed"),
    ("scheduled", "cancelled"),
    ("arrived", "cancelled"),
    ("scheduled", "no_show"),
    ("cancelled", "scheduled"),
    ("no_show", "scheduled"),
    ("completed", "in_progress"),
}
readers = st.tuples(st.sampled_from(list(Role)), st.booleans())


@given(st.lists(st.tuples(st.sampled_from(list(moves.MOVES)), readers), max_size=30))
def test_no_chain_of_moves_leaves_the_drawn_paths(chain: list) -> None:
    session = {"state": "scheduled"}
    for i, (name, (role, on_team)) in enumerate(chain):
        state = session["state"]
        if not moves.may(name, state, "intake", role, on_team):
            assert name not in moves.allowed(state, "intake", role, on_team)
            continue
        session |= moves.after(name, state, NOON + timedelta(minutes=i), None)
        assert (state, session["state"]) in STEPS
        assert session["state"] in moves.STATES


@given(st.lists(st.sampled_from(list(moves.MOVES)), max_size=30))
def test_a_session_bears_exactly_the_times_of_the_states_it_has_been_in(chain: list) -> None:
    session: dict = {"state": "scheduled"} | dict.fromkeys(moves.STAMPS.values())
    for name in chain:
        if session["state"] in moves.MOVES[name].leads:
            session |= moves.after(name, session["state"], NOON, None)
    order = ["scheduled", "arrived", "in_progress", "completed"]
    if session["state"] in order:
        reached = order[1 : order.index(session["state"]) + 1]
        assert [s for s in order[1:] if session[moves.STAMPS[s]]] == reached
        assert session["closed_at"] is None
    else:
        assert session["closed_at"] is not None and session["completed_at"] is None


def test_each_reader_may_make_the_moves_of_their_rows_and_no_others() -> None:
    everything = {"arrive", "cancel", "no-show"}
    assert set(moves.allowed("scheduled", "dosing", Role.CLINICIAN, True)) == everything
    assert moves.allowed("scheduled", "dosing", Role.ADMINISTRATOR, False) == ["cancel", "no-show"]
    assert moves.allowed("scheduled", "dosing", Role.PATIENT, False) == ["cancel"]
    assert moves.allowed("arrived", "dosing", Role.PATIENT, False) == []
    assert moves.allowed("cancelled", "intake", Role.CLINICIAN, False) == []
    assert moves.allowed("completed", "intake", Role.CLINICIAN, False) == ["reopen"]
    for role in (Role.ANALYST, Role.PRIVACY_OFFICER, Role.SYSTEM):
        assert all(moves.allowed(state, "intake", role, True) == [] for state in moves.STATES)
