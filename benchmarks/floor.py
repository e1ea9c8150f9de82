"""The floor: the same answers from a bare WSGI callable that asks nobody's rights.

One connection a thread, prepared statements, JSON made by the database. What it serves from is
told by the environment: FLOOR_DATABASE, FLOOR_AUDIT (0 or 1; 2 writes all the rows that ours
writes with a check-in), FLOOR_AS (clinic, user, sign-in).
"""

import json
import os
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from queue import LifoQueue
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import psycopg
from uuid_utils.compat import uuid7

from benchmarks import floor_sql as sql

THREADS = 4
DATABASE = os.environ["FLOOR_DATABASE"]
AUDITED = os.environ["FLOOR_AUDIT"] in ("1", "2")
MORE = sql.OUR_ROWS if os.environ["FLOOR_AUDIT"] == "2" else sql.NOTHING
CLINIC, USER, SIGN_IN = (UUID(text) for text in os.environ["FLOOR_AS"].split(","))
BANDS = (
    (4, "minimal"),
    (9, "mild"),
    (14, "moderate"),
    (19, "moderately_severe"),
    (27, "severe"),
)
HOURS = 12
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Values = dict[str, Any]


class Postgres:
    """A pool of autocommit connections; a statement is one trip."""

    def __init__(self) -> None:
        self.pool: LifoQueue[psycopg.Connection] = LifoQueue()
        for _ in range(THREADS):
            self.pool.put(psycopg.connect(DATABASE, autocommit=True, options="-c timezone=UTC"))

    def row(self, statement: str, values: Values) -> Any:
        """The one row."""
        connection = self.pool.get()
        try:
            return connection.execute(statement, values, prepare=True).fetchone()
        finally:
            self.pool.put(connection)

    def get(self, values: Values) -> str:
        """A patient."""
        return str(self.row(GET, values)[0])

    def list(self, values: Values) -> str:
        """Fifty check-ins."""
        return str(self.row(LIST, values)[0])


class Sqlite:
    """One connection; the record and its trail in one transaction."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(
            DATABASE, isolation_level=None, check_same_thread=False, timeout=5
        )
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            self.connection.execute(f"PRAGMA {pragma}")

    def get(self, values: Values) -> str:
        """A patient."""
        return self._read(LITE_GET, values)

    def list(self, values: Values) -> str:
        """Fifty check-ins."""
        return self._read(LITE_LIST, values)

    def _read(self, statement: str, values: Values) -> str:
        lite = {k: v.hex if isinstance(v, UUID) else v for k, v in values.items()}
        lite["now"] = values["now"].strftime("%Y-%m-%d %H:%M:%S.%f")
        if not AUDITED:
            return str(self.connection.execute(statement, lite).fetchone()[0])
        self.connection.execute("BEGIN IMMEDIATE")
        text = self.connection.execute(statement, lite).fetchone()[0]
        self.connection.execute(LITE_EVENT, lite)
        self.connection.execute(LITE_TOUCHED, lite)
        self.connection.execute("COMMIT")
        return str(text)


GET = sql.answer(sql.GET, "%(record)s", False, AUDITED)
LIST = sql.answer(sql.LIST, "%(record)s", True, AUDITED)
SEARCH = sql.answer(sql.SEARCH, "r.id", True, AUDITED)
POST = sql.answer(sql.POST, "%(record)s", False, AUDITED, sql.WRITTEN, MORE)
OPENING = sql.opening(AUDITED)
LITE_GET, LITE_LIST = sql.lite(sql.LITE_GET), sql.lite(sql.LITE_LIST)
LITE_EVENT, LITE_TOUCHED = sql.lite(sql.LITE_EVENT), sql.lite(sql.LITE_TOUCHED)
PATIENT = re.compile(r"/api/v1/patients/([0-9a-f-]{36})(/check-ins)?")
_database: Any = None


def database() -> Any:
    """The connections of this process, made after the fork."""
    global _database
    if _database is None:
        _database = Postgres() if "host=" in DATABASE else Sqlite()
    return _database


def app(environ: Values, start_response: StartResponse) -> Iterable[bytes]:
    """The WSGI callable."""
    matched = PATIENT.fullmatch(environ["PATH_INFO"])
    status, text = "200 OK", ""
    if matched is None:
        text = _search(environ) if environ["REQUEST_METHOD"] == "GET" else _sign_in(environ)
    elif environ["REQUEST_METHOD"] == "POST":
        status, text = "201 Created", _post(environ, UUID(matched[1]))
    elif matched[2]:
        text = _page(database().list(_values(UUID(matched[1]), "check_in:read", "patient")))
    else:
        text = database().get(_values(UUID(matched[1]), "patient:read", "patient"))
    start_response(status, [("Content-Type", "application/json")])
    return [text.encode()]


def _page(items: str) -> str:
    return f'{{"items":{items},"next_cursor":null}}'


def _values(record: UUID | None, action: str, kind: str) -> Values:
    who = {"clinic": CLINIC, "user": USER, "sign_in": SIGN_IN}
    event = {"event": uuid7(), "now": datetime.now(UTC), "request": uuid7().hex}
    return {**who, **event, "record": record, "action": action, "type": kind}


def _search(environ: Values) -> str:
    prefix = parse_qs(environ["QUERY_STRING"])["q"][0]
    values = _values(None, "patient:list", "patient")
    values |= {"prefix": prefix, "end": prefix + "\U0010ffff"}
    return _page(database().row(SEARCH, values)[0])


def _body(environ: Values) -> Any:
    return json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))


def _post(environ: Values, patient_id: UUID) -> str:
    body = _body(environ)
    total = sum(body["answers"].values())
    band = next(word for most, word in BANDS if total <= most)
    values = _values(patient_id, "check_in:log", "check_ins")
    values |= {"id": uuid7(), "day": values["now"].date(), "instrument": body["instrument"]}
    values |= {"answers": json.dumps(body["answers"]), "total": total, "band": band}
    values["scores"] = json.dumps({**_scored(), "total": total, "band": band})
    if MORE:
        key, asked = environ["HTTP_IDEMPOTENCY_KEY"], json.dumps(body)
        values |= {"told": uuid7(), "key": sha256(key.encode()).hexdigest()}
        values["asked"] = sha256(asked.encode()).hexdigest()
    return str(database().row(POST, values)[0])


def _scored() -> Values:
    return {
        "status": "complete",
        "answered": 9,
        "missing": 0,
        "min_possible": 0,
        "max_possible": 27,
        "prorated_total": None,
        "prorated_band": None,
        "flags": [],
    }


def _sign_in(environ: Values) -> str:
    from api.access import hashing, users

    body = _body(environ)
    found = database().row(sql.ACCOUNT, {"blind": users.blind_email(body["email"])})
    assert hashing.is_password(body["password"], found[0])
    token, values = secrets.token_urlsafe(32), _values(uuid7(), "sign_in:open", "sign_in")
    values |= {"user": found[1], "clinic": found[2], "version": found[3]}
    values |= {"sign_in": values["record"], "end": values["now"] + timedelta(hours=HOURS)}
    database().row(OPENING, values | {"hash": sha256(token.encode()).hexdigest()})
    access = _access(values)
    answer = {"access_token": access, "token_type": "Bearer", "expires_in": 600}
    return json.dumps(answer | {"refresh_token": token})


def _access(values: Values) -> str:
    import jwt

    from api.access import keys

    kid, key = keys.signing_key()
    claims: Values = {name: str(values[name]) for name in ("user", "sign_in", "clinic", "event")}
    claims["exp"] = int(values["now"].timestamp()) + 600
    return jwt.encode(claims, key, "ES256", headers={"kid": kid})
