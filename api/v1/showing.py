"""Records through the schemas of their answers, by a plan that is made once for each schema.

Marshmallow's own dump copies a schema's fields at each call and asks each for its value anew. An
answer needs none of that: what JSON can hold is taken as it is, the rest as its field says.
What it is worth: `benchmarks/README.md`. The schema stays what is documented and tested.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import marshmallow as ma
import orjson
from flask import Response
from werkzeug.datastructures import Headers

from api.paging import Values
from api.v1 import forms

Way = Callable[[Any], Any]
AS_IT_IS = {
    *(ma.fields.String, ma.fields.UUID, ma.fields.Integer, ma.fields.Boolean, ma.fields.Date),
    *(forms.Words, forms.Choice, forms.Whole, forms.Flag, forms.Id, forms.Day, forms.Instant),
    forms.Number,
}
"""Fields whose values the JSON writer writes as the contract has them."""


def show(schema: type[ma.Schema], record: Any) -> Any:
    """One record as its schema shows it; what the record lacks is left out."""
    return _plan(schema)(record)


def show_all(schema: type[ma.Schema], records: Iterable[Any]) -> list[Any]:
    """Many records as their schema shows them."""
    plan = _plan(schema)
    return [plan(record) for record in records]


@cache
def _plan(schema: type[ma.Schema]) -> Way:
    made = schema()
    fields = [
        (field.data_key or name, field.attribute or name, _way(field))
        for name, field in made.dump_fields.items()
    ]
    names = [(key, name) for key, name, _ in fields]
    ways = [(key, way) for key, _, way in fields if way is not None]

    def shown(record: Any) -> Any:
        if not isinstance(record, dict):
            return made.dump(record)
        answer: Values = {key: record[name] for key, name in names if name in record}
        for key, way in ways:
            value = answer.get(key)
            if value is not None:
                answer[key] = way(value)
        return answer

    return shown


def _through(fields: list[tuple[str, str, Way | None]], record: Values) -> Values:
    answer: Values = {}
    for key, name, way in fields:
        if name in record:
            value = record[name]
            answer[key] = value if way is None or value is None else way(value)
    return answer


def _way(field: Any) -> Way | None:
    """How a field's value is shown; None for as it is."""
    if type(field) in AS_IT_IS:
        return None
    if isinstance(field, ma.fields.Dict) and _is_plain(field.key_field, field.value_field):
        return None
    if isinstance(field, ma.fields.List):
        return _each(_way(field.inner))
    if isinstance(field, ma.fields.Nested) and not (field.only or field.exclude):
        schema = field.schema
        plan = _nested(schema.__class__)
        return _each(plan) if field.many or schema.many else plan
    return lambda value: field._serialize(value, "", None)


def _is_plain(*fields: Any) -> bool:
    return all(field is None or _way(field) is None for field in fields)


def _nested(schema: type[ma.Schema]) -> Way:
    # Looked up when it is needed, for a schema may hold itself.
    return lambda value: _plan(schema)(value)


def _each(way: Way | None) -> Way:
    if way is None:
        return list
    return lambda values: [None if value is None else way(value) for value in values]


def json_response(body: Any, status: int = 200) -> Response:
    """A JSON response; dates, instants (UTC, `Z`) and UUIDs as the contract has them."""
    options = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC
    return Json(orjson.dumps(body, option=options), status, content_type="application/json")


class Json(Response):
    """An answer whose headers are ready when it is made; the framework would look them through.

    What that is worth: `benchmarks/README.md`.
    """

    def get_wsgi_headers(self, environ: Any) -> Headers:
        """The headers as they are sent, for an answer with a body, which told its length when it
        was set; else as the framework has it."""
        return self.headers if self.status_code in (200, 201) else super().get_wsgi_headers(environ)
