"""Whatever is done to notes in whatever order, none is ever in a state that no rule leads to.

A model keeps what each note and the session must be; every deed is tried, also those that must be
refused, and after each the database is held against the model.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from api import clock, db
from api.core.treatment import notes, sessions, signing
from api.core.treatment.notes import tables
from api.db import Values
from api.errors import Conflict, Invalid, NotAllowed, NotFound
from tests import builders
from tests.core.noting import colleague, held_session

RUNS = int(os.environ.get("STATEFUL_RUNS", "10"))
"""How many runs of up to 50 steps; 2,000 for a night."""
PICKED = st.integers(0, 11)
WHO = st.sampled_from(["CT", "CO", "CN", "PS"])
PAGE = db.Page(100)


@dataclass
class Kept:
    """What a note must be."""

    id: UUID
    kind: str
    author: str
    in_session: bool
    state: str = "draft"
    parent: "Kept | None" = None
    unlocks: int = 0
    cosigned: bool = False
    held: bool = False
    request: UUID | None = None
    covered: bool = False
    removed: bool = False
    texts: list[str] = field(default_factory=lambda: ["Words."])

    @property
    def apart(self) -> bool:
        """Whether it is a psychotherapy note."""
        return self.kind == "psychotherapy"


class NoteStates(RuleBasedStateMachine):
    """One chart with a completed session, its author, a supervisor, a stranger and the patient."""

    def __init__(self) -> None:
        super().__init__()
        self.scene = builders.make_scene()
        self.scene.people["CO"] = colleague(self.scene, "supervisor", "cosign")
        self.session = held_session(self.scene, self.scene["CT"])
        self.locked, self.reopened = False, False
        self.notes: list[Kept] = []

    def teardown(self) -> None:
        """Nothing is kept of a run."""
        db.leave_store()

    def actor(self, who: str) -> Any:
        """Somebody, as one request has them."""
        return self.scene[who].actor

    def pick(self, number: int) -> Kept:
        """One of the notes there are."""
        return self.notes[number % len(self.notes)]

    def tries(self, refusal: type[Exception] | None, deed: Callable[[], Any]) -> Any:
        """Do it, and hold what came of it against what the rules say."""
        try:
            done = deed()
        except (Conflict, Invalid, NotAllowed, NotFound) as refused:
            assert refusal is not None and type(refused) is refusal, (refusal, refused)
            return None
        assert refusal is None, refusal
        return done

    def barred(self, who: str, note: Kept, only_author: bool = True) -> type[Exception] | None:
        """Why somebody can do nothing with a note, whatever its state."""
        if who == "PS":
            return NotAllowed
        seen = who == note.author or (who == "CO" or who == "CT") and not note.apart
        if not seen or note.removed:
            return NotFound
        return NotAllowed if only_author and who != note.author else None

    @rule(kind=st.sampled_from(tables.WRITTEN), inside=st.booleans(), who=WHO)
    def write(self, kind: str, inside: bool, who: str) -> None:
        refusal = {"PS": NotAllowed, "CN": NotFound}.get(who)
        if refusal is None and inside and self.locked and kind != "psychotherapy":
            refusal = Conflict
        body = {"kind": kind, "text": "Words."}
        place = self.session["id"] if inside else self.scene.patient["id"]
        write = notes.write_session_note if inside else notes.write_patient_note
        made = self.tries(refusal, lambda: write(self.actor(who), place, body))
        if made:
            self.notes.append(Kept(made["id"], kind, who, inside))

    @precondition(lambda self: self.notes)
    @rule(number=PICKED, who=WHO, text=st.sampled_from(["Words.", "Other words."]))
    def change(self, number: int, who: str, text: str) -> None:
        note = self.pick(number)
        refusal = self.barred(who, note)
        if refusal is None and note.state != "draft":
            refusal = Conflict
        deed = lambda: notes.change_note(self.actor(who), note.id, None, {"text": text})  # noqa: E731
        if self.tries(refusal, deed):
            self._versioned(note, text)

    @precondition(lambda self: self.notes)
    @rule(number=PICKED, who=WHO)
    def sign(self, number: int, who: str) -> None:
        note = self.pick(number)
        refusal = self.barred(who, note)
        if refusal is None and note.state != "draft":
            refusal = Conflict
        if self.tries(refusal, lambda: notes.sign_note(self.actor(who), note.id)):
            note.state = "signed"
            self._versioned(note)

    @precondition(lambda self: self.notes)
    @rule(number=PICKED, who=WHO, as_draft=st.booleans())
    def add(self, number: int, who: str, as_draft: bool) -> None:
        note = self.pick(number)
        refusal = self.barred(who, note, only_author=False)
        if refusal is None and (note.state == "draft" or note.kind == "addendum" or note.parent):
            refusal = Conflict
        body = {"text": "Words.", "as_draft": as_draft}
        made = self.tries(refusal, lambda: notes.add_addendum(self.actor(who), note.id, body))
        if made:
            kind = "psychotherapy" if note.apart else "addendum"
            added = Kept(made["id"], kind, who, note.in_session, parent=note)
            if not as_draft:
                added.state = "signed"
                self._versioned(added)
            self.notes.append(added)

    @precondition(lambda self: self.notes)
    @rule(number=PICKED, who=WHO)
    def cosign(self, number: int, who: str) -> None:
        note = self.pick(number)
        refusal = NotAllowed if who != "CO" else self.barred(who, note, only_author=False)
        if refusal is None and who == note.author:
            refusal = NotAllowed
        if refusal is None and (note.state == "draft" or note.cosigned):
            refusal = Conflict
        if self.tries(refusal, lambda: notes.cosign_note(self.actor(who), note.id)):
            note.cosigned = True
            self._versioned(note)

    @precondition(lambda self: self.notes)
    @rule(number=PICKED, who=WHO)
    def ask_unlock(self, number: int, who: str) -> None:
        note = self.pick(number)
        refusal = self.barred(who, note)
        if refusal is None and (note.apart or note.state == "draft" or note.request):
            refusal = Conflict
        body = {"reason": "A name."}
        made = self.tries(refusal, lambda: notes.ask_unlock(self.actor(who), note.id, body))
        if made:
            note.request = made["id"]

    @precondition(lambda self: any(one.request for one in self.notes))
    @rule(number=PICKED, who=WHO, agree=st.booleans())
    def decide(self, number: int, who: str, agree: bool) -> None:
        asked = [one for one in self.notes if one.request]
        note = asked[number % len(asked)]
        refusal = self.barred(who, note, only_author=False)
        if refusal is None and who == note.author:
            refusal = NotAllowed
        decide = notes.approve_unlock if agree else notes.deny_unlock
        request = note.request
        assert request is not None
        if self.tries(refusal, lambda: decide(self.actor(who), note.id, request, {})):
            note.request = None
            if agree:
                note.state, note.cosigned, note.unlocks = "draft", False, note.unlocks + 1
                self._versioned(note)
                self._uncover(note)

    def _uncover(self, note: Kept) -> None:
        """What the session's signature covered is open again, so the signature counts no more."""
        if note.covered:
            self.locked = False
            for one in self.notes:
                one.covered = False

    @precondition(lambda self: self.notes)
    @rule(number=PICKED, who=WHO, free=st.booleans())
    def hold(self, number: int, who: str, free: bool) -> None:
        note = self.pick(number)
        refusal = self.barred(who, note, only_author=False)
        if refusal is None and (not note.held if free else note.kind != "progress"):
            refusal = Conflict
        body = {"reason": "A name.", "expires_at": clock.now() + timedelta(days=1)}
        actor = self.actor(who)
        deed = notes.release_note if free else notes.hold_note
        if self.tries(refusal, lambda: deed(actor, note.id, None if free else body)):
            note.held = not free
            self._versioned(note)

    @precondition(lambda self: self.notes)
    @rule(number=PICKED, who=WHO)
    def remove(self, number: int, who: str) -> None:
        note = self.pick(number)
        refusal = self.barred(who, note)
        if refusal is None and not note.apart and (note.state != "draft" or note.unlocks):
            refusal = Conflict
        self.tries(refusal, lambda: notes.remove_note(self.actor(who), note.id, None))
        if refusal is None:
            note.removed = True
            for one in self.notes:  # of a psychotherapy note no addendum is left
                one.removed = one.removed or one.parent is note

    @rule(who=WHO)
    def sign_part(self, who: str) -> None:
        drafts = [one for one in self._record() if one.state == "draft"]
        refusal: type[Exception] | None = {"PS": NotAllowed, "CN": NotFound}.get(who)
        if refusal is None and (self.reopened or self.locked or drafts):
            refusal = Conflict
        actor, session_id = self.actor(who), self.session["id"]
        if self.tries(refusal, lambda: signing.sign_part(actor, session_id, "therapist")):
            self.locked = True
            for one in self._record():
                one.covered = True

    @rule()
    def reopen_and_end(self) -> None:
        """A session is reopened only while it is not signed; here it ends again at once."""
        actor = self.actor("CT")
        refusal = Conflict if self.locked else None
        if self.tries(refusal, lambda: sessions.reopen_session(actor, self.session["id"], {})):
            with_state = {"state": "completed", "completed_at": clock.now()}
            db.store().change(sessions.sessions, self._session(), with_state)

    @precondition(lambda self: self.locked)
    @rule()
    def come_late(self) -> None:
        made = notes.draft_addendum(self.actor("CO"), self._session(), "Words.", {"type": "vitals"})
        self.notes.append(Kept(made["id"], "addendum", "CO", True))

    def _versioned(self, note: Kept, text: str | None = None) -> None:
        note.texts.append(note.texts[-1] if text is None else text)

    def _record(self) -> list[Kept]:
        return [one for one in self.notes if one.in_session and not (one.apart or one.removed)]

    def _session(self) -> Values:
        table = sessions.sessions
        row = db.store().row(select(table).where(table.c.id == self.session["id"]))
        assert row is not None
        return row

    def _shown(self, note: Kept) -> str:
        """The state that a reader must be told."""
        closed = self.locked if note.in_session else note.cosigned
        return "locked" if note.state == "signed" and closed and not note.apart else note.state

    @invariant()
    def every_note_is_what_it_must_be(self) -> None:
        assert (self._session()["signed_at"] is not None) == self.locked
        for note in (one for one in self.notes if not one.removed):
            read = notes.read_note(self.actor(note.author), note.id)
            assert read["state"] == self._shown(note), note
            assert (read["signed_at"] is not None) == (note.state == "signed")
            assert read["unlocks"] == note.unlocks and read["text"] == note.texts[-1]
            assert (read["cosigned_by"] is not None) == note.cosigned
            assert (read["hold"] is not None) == note.held

    @invariant()
    def every_version_is_kept(self) -> None:
        for note in self.notes[-2:]:
            if not note.removed:
                actor = self.actor(note.author)
                kept = notes.list_note_versions(actor, note.id, PAGE).items
                assert [row["text"] for row in kept] == note.texts

    @invariant()
    def the_patient_reads_what_is_signed_and_not_held(self) -> None:
        for note in self.notes:
            try:
                notes.read_note(self.actor("PS"), note.id)
                seen = True
            except NotFound:
                seen = False
            assert seen == self._to_patient(note), note

    def _to_patient(self, note: Kept) -> bool:
        open_now = note.state == "signed" and not (note.held or note.apart or note.removed)
        return open_now and (note.parent is None or self._to_patient(note.parent))

    @invariant()
    def a_note_apart_is_its_authors_alone(self) -> None:
        mine = [one.id for one in self.notes if one.apart and one.parent is None]
        for who in ("CT", "CO"):
            actor = self.actor(who)
            listed = notes.list_patient_notes(actor, self.scene.patient["id"], PAGE).items
            seen = {row["id"] for row in listed if row["kind"] == "psychotherapy"}
            theirs = {one.id for one in self.notes if one.author == who and not one.removed}
            assert seen == theirs & set(mine)


def test_no_order_of_deeds_leads_to_an_illegal_state(app: Any) -> None:
    run_state_machine_as_test(
        NoteStates,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=50,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
