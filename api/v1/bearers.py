"""Who comes with the token of a one-use link, known before anything of the body is read."""

from collections.abc import Callable
from typing import Any

from flask import g, request

from api.core import throttle
from api.core.one_use import GONE
from api.core.throttle import Purpose
from api.errors import NotFound
from api.v1.resource import Blueprint
from api.v1.signin import MAX_TOKEN


def known_by_token(blp: Blueprint, bearer_of: Callable[..., Any]) -> None:
    """Let `bearer_of(token, request_id, address)` say who asks, where an address holds a token."""

    def know() -> None:
        token = (request.view_args or {}).get("token")
        if token is None:
            return
        tried = throttle.count(Purpose.TOKEN, token[:MAX_TOKEN], request.remote_addr)
        if len(token) > MAX_TOKEN:
            raise NotFound(GONE)
        g.actor = bearer_of(token, g.request_id, request.remote_addr)
        throttle.forgive(tried)

    blp.before_request(know)
