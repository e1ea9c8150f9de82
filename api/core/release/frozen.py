"""Frozen rows: kept as they were copied, and read again with rare words as `other` or left out."""

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import insert, select

from api.core.release import deidentify as d
from api.core.release.gathering import Row, Rows
from api.core.release.shapes import DROP, NULL, Shape, shapes, wide_name
from api.core.release.tables import LIMITED, research_chunks, research_limited_rows
from api.core.release.tiers import shapes_of
from api.db import Store, Values, transaction

IN_A_CHUNK: Final = 5000
Collapsed = Mapping[str, Mapping[str, Mapping[str, str]]]
"""By file, column and word what becomes of it."""


class Copying:
    """Rows on their way into the database, and how many subjects have each rare word."""

    def __init__(self, release: Values) -> None:
        self._keys = {"clinic_id": release["clinic_id"], "release_id": release["id"]}
        self._is_limited = release["tier"] == LIMITED
        self._rows: Rows = defaultdict(list)
        self._place: Counter[str] = Counter()
        self._words: dict[tuple[str, str], Counter[Any]] = defaultdict(Counter)
        self._rare = [
            (shape.name, place, one.name)
            for shape in shapes_of(release["tier"]).values()
            for place, one in enumerate(shape.fields)
            if one.rare is not None
        ]

    def take(self, rows: Rows) -> None:
        """Copy rows; those of one subject come together, and each subject comes once."""
        for file, place, column in self._rare:
            pairs = {(row[0], row[place]) for row in rows.get(file, ())}
            self._words[file, column].update(word for _, word in pairs if word is not None)
        for file, some in rows.items():
            self._rows[file] += some
            while len(self._rows[file]) >= IN_A_CHUNK:
                self._write(file, self._rows[file][:IN_A_CHUNK])
                del self._rows[file][:IN_A_CHUNK]

    def end(self) -> Collapsed:
        """Copy what is left; answers which words are too rare to be told."""
        for file, some in self._rows.items():
            if some:
                self._write(file, some)
        self._rows.clear()
        found: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
        for file, _, column in self._rare:
            rule = next(f.rare for f in shapes()[file].fields if f.name == column)
            words = _rare(self._words[file, column], str(rule))
            if words:
                found[file][column] = words
        return dict(found)

    def _write(self, file: str, rows: list[Row]) -> None:
        place = self._place[file]
        self._place[file] += 1
        chunk = self._keys | {"file": file, "place": place}
        with transaction() as store:
            if self._is_limited:
                store.add(research_limited_rows, chunk | {"rows": rows})
            else:
                packed = zlib.compress(orjson.dumps(rows), 1)
                store.execute(insert(research_chunks), [chunk | {"rows": packed}])


def _rare(words: Counter[Any], rule: str) -> dict[str, str]:
    """What becomes of each rare word; `other` goes too where not enough come together in it."""
    few = {word: count for word, count in words.items() if count < d.LEAST}
    if rule in (DROP, NULL):
        return dict.fromkeys(few, rule)
    together = sum(few.values()) + (0 if d.OTHER in few else words[d.OTHER])
    # A subject may have two of them, so that the sum is no less than how many they are: where it
    # hardly suffices they go.
    enough = together >= 2 * d.LEAST
    return {word: d.OTHER if enough else DROP for word in few if not (enough and word == d.OTHER)}


def clear(store: Store, release: Values) -> None:
    """Forget the rows of a release that is begun anew."""
    for table in (research_chunks, research_limited_rows):
        mine = [table.c.clinic_id == release["clinic_id"], table.c.release_id == release["id"]]
        store.execute(table.delete().where(*mine))


def rows_of(release: Values, file: str, collapsed: Collapsed | None = None) -> Iterator[list[Row]]:
    """The rows of one file as they may be told, a chunk at a time, by subject."""
    shape = shapes_of(release["tier"])[file]
    words = (release["collapsed"] if collapsed is None else collapsed) or {}
    told = _Telling(shape, words)
    for chunk in _chunks(release, file):
        yield told.rows(chunk)


def _chunks(release: Values, file: str) -> Iterator[list[Row]]:
    read, place = _sealed if release["tier"] == LIMITED else _packed, 0
    while (rows := read(release["clinic_id"], release["id"], file, place)) is not None:
        yield rows
        place += 1


def _packed(clinic_id: UUID, release_id: UUID, file: str, place: int) -> list[Row] | None:
    t = research_chunks.c
    mine = [t.clinic_id == clinic_id, t.release_id == release_id, t.file == file, t.place == place]
    with transaction() as store:
        row = store.row(select(t.rows).where(*mine))
    return None if row is None else orjson.loads(zlib.decompress(row["rows"]))


def _sealed(clinic_id: UUID, release_id: UUID, file: str, place: int) -> list[Row] | None:
    t = research_limited_rows.c
    mine = [t.clinic_id == clinic_id, t.release_id == release_id, t.file == file, t.place == place]
    with transaction() as store:
        row = store.row(select(research_limited_rows).where(*mine), opens=research_limited_rows)
    return None if row is None else list(row["rows"])


class _Telling:
    """Rows of one file with rare words collapsed, sorted anew: their order would tell of them."""

    def __init__(self, shape: Shape, collapsed: Collapsed) -> None:
        self._rules = [
            (shape.place(column), words) for column, words in collapsed.get(shape.name, {}).items()
        ]
        gone = collapsed.get("scores", {}).get("instrument", {})
        wide = {wide_name(key, w) for key in gone for w in d.CODES}
        self._blank = [n for n, f in enumerate(shape.fields) if f.name in wide]

    def rows(self, chunk: list[Row]) -> list[Row]:
        """The rows of a chunk."""
        if not self._rules and not self._blank:
            return chunk
        told = [one for row in chunk if (one := self._told(row)) is not None]
        by_subject = groupby(told, key=lambda row: row[0])
        return [row for _, some in by_subject for row in sorted(some, key=_order)]

    def _told(self, row: Row) -> Row | None:
        for place, words in self._rules:
            becomes = words.get(row[place])
            if becomes == DROP:
                return None
            if becomes is not None:
                row[place] = None if becomes == NULL else becomes
        for place in self._blank:
            row[place] = None
        return row


def _order(row: Row) -> list[str]:
    return [str(value) for value in row]
