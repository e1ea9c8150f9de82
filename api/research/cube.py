"""The cube over the research door: published cuts as JSON, CSV and a picture."""

import csv
import io
from typing import Any

import marshmallow as ma
from flask import Response, request

from api.access.policies import Actor
from api.core import release
from api.paging import Values
from api.v1.forms import Ask, Choice, Many, Show, shown
from api.v1.resource import Blueprint
from api.v1.showing import json_response, show

blp = Blueprint("research_cube", "Aggregates of the newest release, in fixed cuts.")
CSV, SVG = "text/csv", "image/svg+xml"
ROUNDED = {"description": "Rounded to five."}
FIGURES = ("instrument", "window", "group", "n", "mean", "sd", "ci95_low", "ci95_high")


class CubeQuery(Ask):
    """Which cut."""

    cut = Choice(release.CUTS, required=True)


class PictureQuery(CubeQuery):
    """Which cut, of which instrument."""

    instrument = Choice(release.INSTRUMENTS, load_default="phq-9")


class ShareSchema(Show):
    """Who met an outcome: how many, and of a hundred."""

    n = shown(ma.fields.Integer, metadata=ROUNDED)
    percent = shown(ma.fields.Integer)


class CubeRowSchema(Show):
    """One group at one window; an outcome is null where it can't be told."""

    instrument = Choice(release.INSTRUMENTS, required=True)
    window = Choice(release.WINDOWS, required=True)
    group = shown(ma.fields.String)
    n = shown(ma.fields.Integer, metadata=ROUNDED)
    mean = shown(ma.fields.Float)
    sd = shown(ma.fields.Float)
    ci95_low = shown(ma.fields.Float)
    ci95_high = shown(ma.fields.Float)
    response = ma.fields.Nested(ShareSchema, required=True, allow_none=True)
    remission = ma.fields.Nested(ShareSchema, required=True, allow_none=True)
    reliably_improved = ma.fields.Nested(ShareSchema, required=True, allow_none=True)
    deteriorated = ma.fields.Nested(ShareSchema, required=True, allow_none=True)


class CubeSchema(Show):
    """One cut of the newest release."""

    cut = Choice(release.CUTS, required=True)
    cube_version = shown(ma.fields.String)
    release = shown(ma.fields.Integer)
    released_on = shown(ma.fields.String)
    rows = Many(ma.fields.Nested(CubeRowSchema), most=10_000, required=True)


@blp.offer(
    "GET",
    "/projects/<id:project_id>/cube",
    "research_cube:read",
    query=CubeQuery,
    answer=CubeSchema,
    media=CSV,
    keyed=True,
)
def read_cube(actor: Actor, project_id: Any, cut: str) -> Response:
    """Read one cut of the cube.

    By instrument, window and group: counts rounded to five, means with 95 % intervals, and who met
    each outcome since the baseline. Groups of fewer than eleven are not told, and nothing from
    which they could be reckoned. `Accept: text/csv` asks for a table. A project key opens this too.
    """
    told = release.read_cube(actor, project_id, cut)
    if request.accept_mimetypes.best_match(("application/json", CSV)) == CSV:
        return Response(_table(told), content_type=f"{CSV}; charset=utf-8")
    return json_response(show(CubeSchema, told))


@blp.offer(
    "GET",
    "/projects/<id:project_id>/cube.svg",
    "research_cube:read",
    query=PictureQuery,
    media=SVG,
    keyed=True,
)
def draw_cube(actor: Actor, project_id: Any, cut: str, instrument: str) -> Response:
    """Draw the means of one instrument by window, with their intervals.

    Plain SVG, fit for a slide and a grey printout. A project key opens this too.
    """
    return Response(release.draw_cube(actor, project_id, cut, instrument), content_type=SVG)


def _table(told: Values) -> str:
    """The rows of a cut as CSV: an outcome is two columns."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow([*FIGURES, *(f"{name}_{part}" for name in release.OUTCOMES for part in PARTS)])
    for row in told["rows"]:
        outcomes = [(row[name] or {}).get(part) for name in release.OUTCOMES for part in PARTS]
        writer.writerow([*(row[name] for name in FIGURES), *outcomes])
    return lines.getvalue()


PARTS = ("n", "percent")
