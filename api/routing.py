"""Addresses: what an id in one is, and how the one that was asked for is looked up."""

from typing import Any, Final
from uuid import UUID

from flask import Flask
from werkzeug.routing import BaseConverter, ValidationError

from api.v1.forms import ID

NOWHERE: Final = "/-/nowhere"
"""An address at which nothing is."""


class IdConverter(BaseConverter):
    """An id in a path: a UUID in canonical lower case; anything else is no such path."""

    regex = ID.pattern

    def to_python(self, value: str) -> UUID:
        """The UUID."""
        try:
            return UUID(value)
        except ValueError:
            raise ValidationError from None


class Server(Flask):
    """Flask, without what it does at each request for servers of another kind.

    What that is worth: `benchmarks/README.md`.
    """

    def ensure_sync(self, func: Any) -> Any:
        """The function itself: none of ours is a coroutine."""
        return func

    def create_url_adapter(self, request: Any) -> Any:
        """The addresses of one request; no rule of ours asks for a host or a subdomain."""
        if request is None:
            return super().create_url_adapter(request)
        # What an address names goes into statements, and no text of PostgreSQL holds NUL.
        path = NOWHERE if "\0" in request.path else request.path
        return self.url_map.bind("", path_info=path, default_method=request.method)
