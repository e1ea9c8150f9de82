"""Writing: one file of rows as CSV, NDJSON and Parquet, streamed; the same bytes for the same rows.

No time, no file name, no statistics and no schema of the writer goes into a file: gzip headers and
Parquet footers tell of such things.
"""

import csv
import gzip
import hashlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from api.core.release.shapes import Field, Shape

FORMATS: Final = ("csv.gz", "ndjson", "parquet")
LEVEL: Final = 6
KINDS: Final = {
    "string": pa.string(),
    "integer": pa.int32(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
}
DAY: Final = r"\d{4}-\d\d-\d\d"
Rows = Sequence[Sequence[Any]]


class NotInTheList(Exception):
    """A value that its column's closed list does not hold; nothing is written then."""


class Writer(Protocol):
    """Takes rows until it is closed."""

    def write(self, rows: Rows) -> None:
        """Some rows more."""

    def close(self) -> None:
        """No rows more."""


class Csv:
    """Gzipped CSV (RFC 4180, UTF-8): empty is missing, `true` and `false`, numbers as they are."""

    def __init__(self, file: BinaryIO, shape: Shape) -> None:
        self._zip = gzip.GzipFile("", "wb", LEVEL, file, mtime=0)
        self._line = io.StringIO()
        self._csv = csv.writer(self._line, lineterminator="\r\n")
        self._csv.writerow([one.name for one in shape.fields])
        self._flags = [n for n, one in enumerate(shape.fields) if one.kind == "boolean"]

    def write(self, rows: Rows) -> None:
        """Some rows more."""
        if self._flags:
            rows = [self._plain(row) for row in rows]
        self._csv.writerows(rows)
        self._zip.write(self._line.getvalue().encode())
        self._line.seek(0)
        self._line.truncate()

    def _plain(self, row: Sequence[Any]) -> list[Any]:
        plain = list(row)
        for place in self._flags:
            if plain[place] is not None:
                plain[place] = "true" if plain[place] else "false"
        return plain

    def close(self) -> None:
        """No rows more."""
        self.write(())
        self._zip.close()


class Ndjson:
    """One JSON object a line, every column in it."""

    def __init__(self, file: BinaryIO, shape: Shape) -> None:
        self._file, self._names = file, [one.name for one in shape.fields]

    def write(self, rows: Rows) -> None:
        """Some rows more."""
        lines = (orjson.dumps(dict(zip(self._names, row, strict=True))) for row in rows)
        self._file.write(b"".join(line + b"\n" for line in lines))

    def close(self) -> None:
        """No rows more."""


class Parquet:
    """Parquet, zstd: no metadata, no statistics; a dictionary holds only words that are told."""

    def __init__(self, file: BinaryIO, shape: Shape) -> None:
        fields = [pa.field(one.name, KINDS[one.kind]) for one in shape.fields]
        self._schema = pa.schema(fields)
        self._file = pq.ParquetWriter(
            file,
            self._schema,
            version="2.6",
            compression="zstd",
            write_statistics=False,
            store_schema=False,
            write_page_index=False,
            write_page_checksum=False,
        )

    def write(self, rows: Rows) -> None:
        """Some rows more, a row group."""
        if rows:
            columns = zip(zip(*rows, strict=True), self._schema, strict=True)
            arrays = [_array(values, field.type) for values, field in columns]
            self._file.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        """No rows more."""
        self._file.close()


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if kind == KINDS["date"]:
        values = [None if one is None else date.fromisoformat(one) for one in values]
    return pa.array(values, kind)


WRITERS: Final[Mapping[str, Any]] = {"csv.gz": Csv, "ndjson": Ndjson, "parquet": Parquet}


def write(folder: Path, shape: Shape, chunks: Iterable[Rows]) -> int:
    """Write one table in every format into `folder`; answers how many rows it has.

    Raises `NotInTheList` for a value that its column may not hold.
    """
    count, checked = 0, _checks(shape)
    with ExitStack() as stack:
        writers: list[Writer] = []
        for kind in FORMATS:
            file = stack.enter_context((folder / f"{shape.name}.{kind}").open("wb"))
            writers.append(WRITERS[kind](file, shape))
            stack.callback(writers[-1].close)
        for rows in chunks:
            _refuse_unlisted(shape, checked, rows)
            count += len(rows)
            for writer in writers:
                writer.write(rows)
    return count


def _checks(shape: Shape) -> list[tuple[int, Field, frozenset[str]]]:
    return [(place, one, frozenset(one.words)) for place, one in enumerate(shape.fields)]


def _refuse_unlisted(
    shape: Shape, checks: list[tuple[int, Field, frozenset[str]]], rows: Rows
) -> None:
    for place, field, words in checks:
        values = {row[place] for row in rows} - {None}
        is_listed = field.kind == "string" and field.pattern is None
        bad = values - words if is_listed else {v for v in values if not _fits(field, v)}
        if bad:
            raise NotInTheList(f"{shape.name}.{field.name}")


def _fits(field: Field, value: Any) -> bool:
    if field.kind == "boolean":
        return isinstance(value, bool)
    if field.kind in ("string", "date"):
        pattern = field.pattern or DAY
        return isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return field.low is None or field.high is None or field.low <= value <= field.high


def digest(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
