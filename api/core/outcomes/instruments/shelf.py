"""The shelf of one clinic: what is shipped, its own definitions, and the wording it may show.

A version is that of the definition, with `+n` behind it where the wording is the clinic's n-th:
so a check-in keeps what was asked, and in which words.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Table, and_, func, select

from api import clock
from api.core.outcomes.instruments.catalogue import catalogue, editions
from api.core.outcomes.instruments.definition import Instrument, Item
from api.core.outcomes.instruments.parsing import parse_instrument
from api.core.outcomes.instruments.tables import instrument_texts, own_instruments
from api.db import Values, found, store

MARK = "+"
"""Between the version of a definition and the number of the clinic's wording."""
LICENCE = ("licence_statement", "holder", "expires_on")


@dataclass(frozen=True)
class Shelved:
    """An instrument as a clinic has it: with the wording it may show, and on what licence.

    `licence` is the clinic's own statement, or None where the shipped wording needs none.
    """

    instrument: Instrument
    licence: Values | None
    is_own: bool


def find_instrument(clinic_id: UUID, key: str, version: str | None = None) -> Instrument:
    """The instrument as the clinic has it now, or in the version that answers were given to.

    Raises `NotFound` where there is none.
    """
    return find_shelved(clinic_id, key, version).instrument


def find_shelved(clinic_id: UUID, key: str, version: str | None = None) -> Shelved:
    """The same, with the licence; at most two queries."""
    base = None if version is None else version.partition(MARK)[0]
    shipped = _shipped(key, base)
    own = None if shipped else found(_own(clinic_id, key, base))
    text = _text_of(clinic_id, key, shipped)
    if own is None and text is None:
        shelved = _as_shipped(key, base)
    else:
        shelved = _with_text(shipped, own, text)
    if version in (None, shelved.instrument.version):
        return shelved
    return replace(shelved, instrument=replace(shelved.instrument, version=version))


def shelf(clinic_id: UUID) -> list[Shelved]:
    """Every instrument of the clinic in its newest version, by key; in two queries."""
    texts = {row["key"]: row for row in store().rows(_newest(clinic_id, instrument_texts))}
    shipped = [_with_text(one, None, texts.get(key)) for key, one in catalogue().items()]
    rows = store().rows(_newest(clinic_id, own_instruments))
    own = [_with_text(None, row, texts.get(row["key"])) for row in rows]
    return sorted(shipped + own, key=lambda one: one.instrument.key)


def is_known(clinic_id: UUID, key: str) -> bool:
    """Whether the clinic has an instrument of this key; no query for a shipped one."""
    return key in catalogue() or _own(clinic_id, key, None) is not None


def titles(clinic_id: UUID, keys: Iterable[str]) -> dict[str, str]:
    """The titles of instruments by key; at most one query."""
    wanted = set(keys)
    known = {key: one.title for key, one in catalogue().items() if key in wanted}
    if wanted <= set(known):
        return known
    rows = store().rows(_newest(clinic_id, own_instruments))
    return known | {r["key"]: r["definition"]["title"] for r in rows if r["key"] in wanted}


def versions(clinic_id: UUID, key: str) -> list[Values]:
    """Every version of a definition, the oldest first: `{version, added_at}`."""
    if key in editions():
        return [{"version": version, "added_at": None} for version in editions()[key]]
    t = own_instruments.c
    statement = select(t.edition, t.created_at).where(t.clinic_id == clinic_id, t.key == key)
    rows = store().rows(statement.order_by(t.place))
    return [{"version": row["edition"], "added_at": row["created_at"]} for row in rows]


def last_of(clinic_id: UUID, table: Table, key: str) -> Values | None:
    """The newest row of a key: of its definitions, or of its wordings."""
    return store().row(_newest(clinic_id, table).where(table.c.key == key))


def is_over(expires_on: date | None) -> bool:
    """Whether a licence has ended; its last day counts, in UTC."""
    return expires_on is not None and expires_on < clock.today("UTC")


def _shipped(key: str, base: str | None) -> Instrument | None:
    there = editions().get(key)
    if there is None:
        return None
    return catalogue()[key] if base is None else there.get(base)


@cache
def _as_shipped(key: str, base: str | None) -> Shelved:
    return _with_text(_shipped(key, base), None, None)


def _own(clinic_id: UUID, key: str, base: str | None) -> Values | None:
    if base is None:
        return last_of(clinic_id, own_instruments, key)
    t = own_instruments.c
    statement = select(own_instruments).where(t.clinic_id == clinic_id, t.key == key)
    return store().row(statement.where(t.edition == base))


def _newest(clinic_id: UUID, table: Table) -> Select[Any]:
    """The newest row of each key."""
    t = table.c
    last = (
        select(t.key, func.max(t.place).label("place"))
        .where(t.clinic_id == clinic_id)
        .group_by(t.key)
        .subquery()
    )
    same = and_(last.c.key == t.key, last.c.place == t.place)
    return select(table).join(last, same).where(t.clinic_id == clinic_id)


def _text_of(clinic_id: UUID, key: str, shipped: Instrument | None) -> Values | None:
    """The clinic's wording; what is shipped with its own needs none."""
    if shipped is not None and not shipped.is_text_missing:
        return None
    return last_of(clinic_id, instrument_texts, key)


def _with_text(shipped: Instrument | None, own: Values | None, text: Values | None) -> Shelved:
    """The instrument in the words that may be shown now; none of those whose licence ended."""
    one = shipped or parse_instrument(found(own)["definition"])
    licence = None if own is None else {name: own[name] for name in LICENCE}
    if own is not None and is_over(own["expires_on"]):
        one = replace(one, items=tuple(replace(item, text=None) for item in one.items))
    if text is not None and (shipped is None or shipped.is_text_missing):
        over = is_over(text["expires_on"])
        if not over or one.is_text_missing:
            licence = {name: text[name] for name in LICENCE}
        one = one if over else _worded(one, text)
    return Shelved(one, licence, own is not None)


def _worded(one: Instrument, text: Values) -> Instrument:
    items = tuple(_item(item, text["items"].get(item.link_id)) for item in one.items)
    return replace(
        one,
        items=items,
        instructions=text["instructions"] or one.instructions,
        version=f"{one.version}{MARK}{text['place']}",
    )


def _item(item: Item, words: Mapping[str, Any] | None) -> Item:
    if words is None:
        return item
    labels = words["labels"]
    options = tuple(replace(o, label=labels.get(str(o.value), o.label)) for o in item.options)
    return replace(item, text=words["text"], options=options)
