"""What goes with the files: the Frictionless package, the code book, and the manifest."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from api.core.outcomes import change
from api.core.outcomes.instruments.catalogue import catalogue
from api.core.release import deidentify as d
from api.core.release.shapes import SCHEMA_VERSION, Field, Shape, shapes
from api.core.release.writing import digest
from api.db import Values

PACKAGE, BOOK, BOOK_CSV = "datapackage.json", "codebook.md", "codebook.csv"
BASIS: Final = "De-identified under HIPAA by Safe Harbor, 45 CFR 164.514(b)(2)"
TYPES: Final = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean"}
Json = dict[str, Any]


@cache
def code_digest() -> str:
    """The SHA-256 of the code by which releases are made, so that two can be told apart."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.*")):
        if path.suffix in (".py", ".txt"):
            found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def describe(folder: Path, number: int) -> None:
    """Write the package and the code books of a release beside its files."""
    (folder / BOOK).write_text(_book(number), encoding="utf-8")
    (folder / BOOK_CSV).write_text(_book_csv(), encoding="utf-8", newline="")
    (folder / PACKAGE).write_bytes(
        orjson.dumps(_package(folder, number), option=orjson.OPT_INDENT_2)
    )


def listed(folder: Path, counts: Mapping[str, int]) -> list[Json]:
    """Every file of a release: `{name, bytes, sha256, rows}`, rows of a table alone."""
    return [
        {
            "name": path.name,
            "bytes": path.stat().st_size,
            "sha256": digest(path),
            "rows": d.masked(counts[table])
            if (table := path.name.split(".")[0]) in counts
            else None,
        }
        for path in sorted(folder.iterdir())
    ]


def _package(folder: Path, number: int) -> Json:
    """The package in the shape of Frictionless Data Package 1.0."""
    return {
        "profile": "tabular-data-package",
        "name": f"freshtrail-release-{number}",
        "version": f"{number}.0.0",
        "title": f"De-identified outcomes, release {number}",
        "description": f"{BASIS}. Tables of one release, told by windows from the first dose.",
        "resources": [_resource(folder, shape) for shape in shapes().values()],
    }


def _resource(folder: Path, shape: Shape) -> Json:
    path = folder / f"{shape.name}.csv.gz"
    schema: Json = {"fields": [_field(one) for one in shape.fields], "missingValues": [""]}
    if shape.key:
        schema["primaryKey"] = list(shape.key)
    if shape.name != "subjects":
        there = {"resource": "subjects", "fields": "subject_id"}
        schema["foreignKeys"] = [{"fields": "subject_id", "reference": there}]
    return {
        "profile": "tabular-data-resource",
        "name": shape.name,
        "path": path.name,
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "compression": "gz",
        "description": shape.says,
        "bytes": path.stat().st_size,
        "hash": f"sha256:{digest(path)}",
        "schema": schema,
    }


def _field(one: Field) -> Json:
    limits: Json = {}
    if one.words:
        limits["enum"] = list(one.words)
    if one.low is not None:
        limits |= {"minimum": one.low, "maximum": one.high}
    if one.name == "subject_id":
        limits |= {"required": True, "pattern": "[0-9a-f]{32}"}
    kind: Json = {"name": one.name, "type": TYPES[one.kind], "description": one.says}
    return kind | ({"constraints": limits} if limits else {})


def _book(number: int) -> str:
    """The code book as Markdown, for people."""
    parts = [
        f"# Code book of release {number}",
        f"{BASIS}. Never called anonymous: whoever could reach the key of codes could undo it.",
        "Missing is empty (CSV) or null, never 0; `missing_reason` says why. A column is only ever"
        f" added. Names and meanings are those of schema {SCHEMA_VERSION}, policy"
        f" {d.POLICY_VERSION}.",
        "## Windows",
        "Days are counted from the first dose, where the patient lives; no file holds a day.",
        _table(
            ("window", "stands for day", "from day", "to day"),
            [(w.code, w.nominal, w.first, w.last) for w in d.WINDOWS],
        ),
        "The baseline is the last check-in before the first dose. Of several in a later window the"
        " one nearest to its day counts. A window without one says `not_answered`, whether or not"
        " it has come yet.",
        *(_section(shape) for shape in shapes().values()),
        "## Instruments",
        _table(("instrument", "title", "version", "scoring", "range", "higher is"), _instruments()),
        "## Change",
        "Each verdict compares a total with the baseline of the same scoring; null where there is"
        " no published rule or no baseline. Formulas, parameters and sources:",
        _table(("instrument", "verdict", "parameters"), _verdicts()),
    ]
    return "\n\n".join(parts) + "\n"


def _section(shape: Shape) -> str:
    fields = [
        (
            one.name,
            one.kind,
            one.says,
            ", ".join(one.words) if len(one.words) < 60 else "a code list",
        )
        for one in shape.fields[: 14 if shape.name == "scores_wide" else None]
    ]
    more = "\n\nAnd so on, for each instrument and window." if shape.name == "scores_wide" else ""
    table = _table(("column", "type", "what it says", "words"), fields)
    return f"## {shape.name}\n\n{shape.says}\n\n{table}{more}"


def _table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    lines: list[Sequence[object]] = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _instruments() -> Iterable[tuple[object, ...]]:
    for key, one in catalogue().items():
        span = f"{one.scoring.lowest:g} to {one.scoring.highest:g}" if one.scoring.highest else ""
        higher = one.definition["higher_is"]
        yield key, one.title, one.version, one.scoring_version, span, higher


def _verdicts() -> Iterable[tuple[object, ...]]:
    for key, one in catalogue().items():
        rules = change.rules_of(one.definition)
        for name in ("response", "remission", "reliable"):
            rule = getattr(rules, name)
            if rule is not None:
                told = (f"{word} {value}" for word, value in rule.items() if value is not None)
                yield key, name, "; ".join(told)


def _book_csv() -> str:
    """The same as a table, for programs."""
    lines = ["table,column,type,words,description\r\n"]
    for shape in shapes().values():
        for one in shape.fields:
            cells = (shape.name, one.name, one.kind, "|".join(one.words), one.says)
            lines.append(",".join(f'"{cell}"' for cell in cells) + "\r\n")
    return "".join(lines)


def manifest(project: Values, release: Values, told: Json) -> Json:
    """What a release is: by whom it may be cited, and how it was made."""
    number = release["number"]
    return {
        "project_id": str(project["id"]),
        "purpose": project["purpose"],
        "release": number,
        "supersedes": number - 1 if number > 1 else None,
        "notice": "Use the newest release: who withdrew is in none that came later.",
        "tier": "B",
        "basis": BASIS,
        "released_on": told.pop("released_on"),
        "schema_version": SCHEMA_VERSION,
        "policy_version": d.POLICY_VERSION,
        "code_sha256": code_digest(),
        "residual_risks": RISKS,
        **told,
    }


RISKS: Final = (
    "Who knows the scores of a person at several windows may find their row: totals are exact.",
    "Who receives two projects may match subjects by the same long run of totals.",
    "Who keeps an older release sees which codes a newer one lacks.",
)
