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
from api.core.release.shapes import SCHEMA_VERSION, Field, Shape
from api.core.release.tables import DEIDENTIFIED
from api.core.release.tiers import OF, Tier, shapes_of
from api.core.release.writing import digest
from api.db import Values

PACKAGE, BOOK, BOOK_CSV = "datapackage.json", "codebook.md", "codebook.csv"
Json = dict[str, Any]


@cache
def code_digest() -> str:
    """The SHA-256 of the code by which releases are made, so that two can be told apart."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.*")):
        if path.suffix in (".py", ".txt"):
            found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def describe(folder: Path, number: int, tier: str = DEIDENTIFIED) -> None:
    """Write the package and the code books of a release beside its files."""
    (folder / BOOK).write_text(_book(number, tier), encoding="utf-8")
    (folder / BOOK_CSV).write_text(_book_csv(tier), encoding="utf-8", newline="")
    (folder / PACKAGE).write_bytes(
        orjson.dumps(_package(folder, number, tier), option=orjson.OPT_INDENT_2)
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


def _package(folder: Path, number: int, tier: str) -> Json:
    """The package in the shape of Frictionless Data Package 1.0."""
    return {
        "profile": "tabular-data-package",
        "name": f"freshtrail-release-{number}",
        "version": f"{number}.0.0",
        "title": f"{OF[tier].title}, release {number}",
        "description": f"{OF[tier].basis}. Tables of one release, told from the first dose on.",
        "resources": [_resource(folder, shape, tier) for shape in shapes_of(tier).values()],
    }


def _resource(folder: Path, shape: Shape, tier: str) -> Json:
    path = folder / f"{shape.name}.csv.gz"
    schema: Json = {"fields": [_field(one) for one in shape.fields], "missingValues": [""]}
    if shape.key:
        schema["primaryKey"] = list(shape.key)
    subjects = next(iter(shapes_of(tier)))
    if shape.name != subjects:
        there = {"resource": subjects, "fields": "subject_id"}
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
    if one.pattern is not None:
        limits["pattern"] = one.pattern
    if one.name == "subject_id":
        limits["required"] = True
    kind: Json = {"name": one.name, "type": one.kind, "description": one.says}
    return kind | ({"constraints": limits} if limits else {})


def _book(number: int, tier: str) -> str:
    """The code book as Markdown, for people."""
    told: Tier = OF[tier]
    parts = [
        f"# Code book of release {number}",
        f"{told.basis}. {told.opening}",
        "Missing is empty (CSV) or null, never 0; `missing_reason` says why. A column is only ever"
        f" added. Names and meanings are those of schema {SCHEMA_VERSION}, policy"
        f" {d.POLICY_VERSION}.",
        "## Windows",
        _table(
            ("window", "stands for day", "from day", "to day"),
            [(w.code, w.nominal, w.first, w.last) for w in d.WINDOWS],
        ),
        *((PLACED,) if tier == DEIDENTIFIED else ()),
        *(_section(shape) for shape in shapes_of(tier).values()),
        "## Instruments",
        _table(("instrument", "title", "version", "scoring", "range", "higher is"), _instruments()),
        *(CHANGED if tier == DEIDENTIFIED else ()),
    ]
    if tier == DEIDENTIFIED:
        parts.append(_table(("instrument", "verdict", "parameters"), _verdicts()))
    return "\n\n".join(parts) + "\n"


PLACED: Final = (
    "The baseline is the last check-in before the first dose. Of several in a later window the one"
    " nearest to its day counts. A window without one says `not_answered`, whether or not it has"
    " come yet."
)
CHANGED: Final = (
    "## Change",
    "Each verdict compares a total with the baseline of the same scoring; null where there is no"
    " published rule or no baseline. Formulas, parameters and sources:",
)


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


def _book_csv(tier: str) -> str:
    """The same as a table, for programs."""
    lines = ["table,column,type,words,description\r\n"]
    for shape in shapes_of(tier).values():
        for one in shape.fields:
            cells = (shape.name, one.name, one.kind, "|".join(one.words), one.says)
            lines.append(",".join(f'"{cell}"' for cell in cells) + "\r\n")
    return "".join(lines)


def manifest(project: Values, release: Values, told: Json) -> Json:
    """What a release is: by whom it may be cited, and how it was made."""
    number, tier = release["number"], OF[release["tier"]]
    return {
        "project_id": str(project["id"]),
        "purpose": project["purpose"],
        "release": number,
        "supersedes": number - 1 if number > 1 else None,
        "notice": tier.notice,
        "tier": release["tier"],
        "basis": tier.basis,
        "agreement_id": None,
        "released_on": told.pop("released_on"),
        "schema_version": SCHEMA_VERSION,
        "policy_version": d.POLICY_VERSION,
        "code_sha256": code_digest(),
        "residual_risks": list(tier.risks),
        **told,
    }
