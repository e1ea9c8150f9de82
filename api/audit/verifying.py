"""Verifying: whether a chain is what was sealed, and if not, what was done to it and where. Pure.

It is told of the chain link by link, and keeps only those that do not fit: a trail of any length is
read in constant memory.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from api.audit.chain import START, digest
from api.audit.checkpoints import Checkpoint

EDITED_FIELD: Final = "edited_field"
EDITED_HASH: Final = "edited_hash"
DELETED_ROW: Final = "deleted_row"
DELETED_TAIL: Final = "deleted_tail"
REORDERED: Final = "reordered"
INSERTED_ROW: Final = "inserted_row"
SWAPPED: Final = "swapped_between_clinics"
RECOMPUTED: Final = "recomputed_chain"
HEAD_EDITED: Final = "head_edited"
EMPTIED: Final = "table_emptied"
ROLLED_BACK: Final = "rolled_back"
FORKED: Final = "forked"
CHECKPOINT: Final = "checkpoint_edited_or_missing"
CLASSES: Final = (
    *(EDITED_FIELD, EDITED_HASH, DELETED_ROW, DELETED_TAIL, REORDERED, INSERTED_ROW, SWAPPED),
    *(RECOMPUTED, HEAD_EDITED, EMPTIED, ROLLED_BACK, FORKED, CHECKPOINT),
)
"""What can have been done to a trail, as it is told."""
BACKWARDS: Final = timedelta(minutes=5)
"""How far a clock may go back from one event to the next before that is remarked upon."""
MOST_KEPT: Final = 1000
"""Links that do not fit, of which more is asked; beyond that the first is enough."""


@dataclass(frozen=True)
class Link:
    """One seal, and the body of its event as it lies there now; None when it is gone."""

    seq: int
    prev_hash: str
    hash: str
    body: Mapping[str, Any] | None


@dataclass(frozen=True)
class Tampering:
    """What was done, from which place in the chain on."""

    seq: int
    what: str


@dataclass
class Verdict:
    """What was found of one clinic's chain."""

    sealed: int = 0
    last_hash: str = START
    first_at: dict[int, str] = field(default_factory=dict)
    tampering: list[Tampering] = field(default_factory=list)
    unfit: list[Link] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def first(self) -> Tampering | None:
        """The earliest sign of tampering."""
        return min(self.tampering, key=lambda one: one.seq, default=None)


@dataclass(frozen=True)
class Head:
    """Where the database says that the chain ends, and what the last checkpoint told."""

    seq: int
    hash: str
    told_seq: int


def follow(links: Iterable[Link], points: Iterable[int], begin: int = 1) -> Verdict:
    """Follow a chain from its start; remember the digests at `points`, and what does not fit.

    With `begin`, from that link on, which a checkpoint is to vouch for: see `vouched`.
    """
    verdict, wanted = Verdict(), set(points)
    expected, held, last_at = begin, None, ""
    for link in links:
        is_first = held is None
        if held is not None:
            _judge(verdict, held, link.prev_hash)
        if link.seq != expected:
            verdict.tampering.append(Tampering(expected, DELETED_ROW))
        elif is_first and begin > 1:
            pass  # what came before it is not looked at
        elif link.prev_hash != verdict.last_hash and not _spoils(verdict, link):
            verdict.tampering.append(Tampering(link.seq, EDITED_HASH))
        expected, held = link.seq + 1, link
        last_at = _remark(verdict, link, last_at)
        verdict.sealed, verdict.last_hash = link.seq, link.hash
        if link.seq in wanted:
            verdict.first_at[link.seq] = link.hash
    if held is not None:
        _judge(verdict, held, None)
    return verdict


def vouched(points: Iterable[Checkpoint], since: int) -> int:
    """Where to begin so that everything from `since` on is judged: at the last link before it that
    a checkpoint told of, or at the start of the chain where none did."""
    known = _since_recovery([*points])
    return max((one.size for one in known if one.good and one.size < since), default=1)


def _spoils(verdict: Verdict, link: Link) -> bool:
    """Whether what does not fit was told already: the digest before it was changed."""
    return any(one.seq in (link.seq, link.seq - 1) for one in verdict.tampering)


def _judge(verdict: Verdict, link: Link, after: str | None) -> None:
    """Judge one link by its event, and by what the next one says came before it."""
    if link.body is None:
        verdict.tampering.append(Tampering(link.seq, DELETED_ROW))
        return
    made = digest(link.body, link.prev_hash)
    if made == link.hash:
        return
    if made == after:
        verdict.tampering.append(Tampering(link.seq, EDITED_HASH))
    elif len(verdict.unfit) < MOST_KEPT:
        verdict.unfit.append(link)


def _remark(verdict: Verdict, link: Link, last_at: str) -> str:
    at = str((link.body or {}).get("at") or last_at)
    if last_at and datetime.fromisoformat(at) < datetime.fromisoformat(last_at) - BACKWARDS:
        verdict.warnings.append(f"time runs backwards at {link.seq}")
    return at


def name_unfit(verdicts: Mapping[Any, Verdict]) -> None:
    """Say of every event that does not fit its seal what was done, over all chains together.

    Two events of one chain that fit each other's seals were reordered, two of different chains
    swapped; whatever fits nowhere was edited.
    """
    everywhere = [(key, link) for key, verdict in verdicts.items() for link in verdict.unfit]
    for key, verdict in verdicts.items():
        for link in verdict.unfit:
            others = ((other, one) for other, one in everywhere if one is not link)
            fits = next((other for other, one in others if _fits(link, one)), None)
            what = EDITED_FIELD if fits is None else REORDERED if fits == key else SWAPPED
            verdict.tampering.append(Tampering(link.seq, what))


def _fits(link: Link, other: Link) -> bool:
    """Whether the seal of one was made of what now lies at the other."""
    assert link.body is not None and other.body is not None
    keys = {name: link.body[name] for name in ("clinic_id", "id")}
    moved = ({**other.body}, {**other.body, **keys})
    return any(digest(body, link.prev_hash) == link.hash for body in moved)


def judge_end(verdict: Verdict, head: Head | None, checkpoints: list[Checkpoint]) -> None:
    """Compare where a chain ends with its head, and both with what lies outside the database."""
    known = _since_recovery(checkpoints)
    good = [one for one in known if one.good]
    newest = max((one.size for one in good), default=0)
    if _is_spoiled(known) or (head is not None and head.told_seq > newest):
        verdict.tampering.append(Tampering(max(verdict.sealed, 1), CHECKPOINT))
    _judge_forks(verdict, good)
    said = 0 if head is None else head.seq
    if verdict.sealed == 0 and max(newest, said) > 0:
        verdict.tampering.append(Tampering(1, EMPTIED))
        return
    _judge_head(verdict, head, newest)
    differs = [n.size for n in good if verdict.first_at.get(n.size, n.hash) != n.hash]
    if differs and not verdict.tampering:
        agreed = [n.size for n in good if verdict.first_at.get(n.size) == n.hash]
        verdict.tampering.append(Tampering(max(agreed, default=0) + 1, RECOMPUTED))


def _since_recovery(checkpoints: list[Checkpoint]) -> list[Checkpoint]:
    """What still binds: a restore by intent bridges what was told of a later state before it, and
    what can't be read there."""
    places = [n for n, one in enumerate(checkpoints) if one.recovery and one.good]
    if not places:
        return checkpoints
    last = places[-1]
    kept = [one for one in checkpoints[:last] if one.good and one.size <= checkpoints[last].size]
    return [*kept, *checkpoints[last:]]


def _is_spoiled(checkpoints: list[Checkpoint]) -> bool:
    """Whether any is not as it was written, but for what was cut short while it was.

    That is excused at the very end, where nothing vouches for it and nothing needs to: what the
    database was told of stands before it. Elsewhere the next one must say, signed, that it met it.
    """
    excuses = True
    for one in reversed(checkpoints):
        if one.good:
            excuses = one.after_torn
        elif not (one.torn and excuses):
            return True
    return False


def _judge_forks(verdict: Verdict, good: list[Checkpoint]) -> None:
    told: dict[int, str] = {}
    for one in good:
        if told.setdefault(one.size, one.hash) != one.hash:
            verdict.tampering.append(Tampering(one.size, FORKED))


def _judge_head(verdict: Verdict, head: Head | None, newest: int) -> None:
    """The head against the seals; a checkpoint decides which of the two was touched."""
    end = verdict.sealed
    said = 0 if head is None else head.seq
    if head is None and end == newest == 0:
        return
    if end < newest:
        cut = said > end
        verdict.tampering.append(Tampering(end + 1, DELETED_TAIL if cut else ROLLED_BACK))
    elif head is None or said < end:
        edited = head is None or said < newest
        what = HEAD_EDITED if edited else INSERTED_ROW
        verdict.tampering.append(Tampering(said + 1 if not edited else end, what))
    elif said > end:
        verdict.tampering.append(Tampering(end + 1, DELETED_TAIL))
    elif head.hash != verdict.last_hash and not verdict.tampering:
        verdict.tampering.append(Tampering(end, HEAD_EDITED))
