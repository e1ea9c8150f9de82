"""What the matrix of this door needs: its rows, a clinic with a record for each, least bodies."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from flask import Flask

from api import clock, db
from api.fhir import bulk_making
from api.fhir.datatypes import instant
from api.fhir.kinds import KINDS
from api.fhir.writing.writers import WRITERS
from tests import builders
from tests.fhir import charts
from tests.fhir.charts import SYSTEM, Client
from tests.fhir.test_lists_written import bodies
from tests.fhir.test_sent import answered, quantity, sharing, visit, vital
from tests.fhir.test_subscriptions import body as subscription
from tests.fhir.test_writing import patient

PEOPLE = ("AN", "PS", "PO", "CT", "CN", "CA", "PR", "AY", "XT")
CLIENTS = ("SY", "SX", "SC", "XS")
TABLE = Path(__file__).with_name("matrix.txt")
LETTERS = "cruds"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PATCH, FORM = "application/json-patch+json", "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Row:
    """One route: the scopes that it needs, its deed in the trail, what each persona is answered."""

    method: str
    path: str
    scopes: tuple[str, ...]
    deed: str
    cells: dict[str, str]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def kind(self) -> str:
        """The type that it is of; none of an operation on the whole."""
        return next((one for one in self.path.split("/") if one in KINDS), "")


def rows() -> dict[str, Row]:
    """The table, by method and path."""
    found = {}
    for line in TABLE.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        route, people, clients = line.split("|")
        method, path, scopes, deed = route.split()
        codes = [*people.split(), *clients.split()]
        assert len(codes) == len(PEOPLE) + len(CLIENTS), line
        needed = () if scopes == "-" else tuple(scopes.split(","))
        cells = dict(zip((*PEOPLE, *CLIENTS), codes, strict=True))
        found[f"{method} {path}"] = Row(method, path, needed, deed, cells)
    return found


def routes(app: Flask) -> set[str]:
    """Every route of this door, as the table writes it."""
    named = {"": "(base)", "/": "(base)/"}
    found = set()
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/fhir/"):
            path = rule.rule.removeprefix("/fhir/R4").replace("resource_id", "id")
            path = re.sub(r"<fhir_id:(\w+)>", r"{\1}", path)
            methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
            found |= {f"{method} {named.get(path, path)}" for method in methods}
    return found


def without(needed: tuple[str, ...]) -> str:
    """Every scope but the first of those that are needed."""
    kind, _, letters = needed[0].partition(".") if needed else ("", "", "")
    left = {one: LETTERS for one in KINDS}
    if kind:
        left[kind] = "".join(letter for letter in LETTERS if letter not in letters)
    return " ".join(f"system/{one}.{its}" for one, its in left.items() if its)


class World:
    """A clinic that asks for consent, a patient whom one client knows, and a full chart."""

    def __init__(self, app: Flask) -> None:
        with db.transaction():
            self.scene = builders.make_scene()
            charts.let_see_all(self.scene.clinic_id, "consented")
            self.seen = charts.chart(self.scene)
            self.known = charts.register(app, self.scene.clinic_id, external_system=SYSTEM)
            self.stranger = charts.register(app, self.scene.clinic_id)
            charts.subscribed(self.known, self.scene.clinic_id)
        with db.transaction():
            charts.let_see_all(self.scene["XT"].clinic_id)
            self.foreign = charts.register(app, self.scene["XT"].clinic_id)
        self.me = str(self.scene.patient["id"])
        self.wide = replace(self.known).sign_in()
        self.app, self.ids, self.made = app, dict[str, str](), 0
        for other in (self.stranger, self.foreign):  # each has a patient of its own
            made = replace(other).sign_in()("POST", "/Patient", json=patient(None))
            assert made.status_code == 201, made.text
        self.written = {kind: self._write(kind) for kind in WRITERS}

    def _write(self, kind: str) -> dict[str, Any]:
        """A resource of the type that the client made."""
        if kind == "Patient":
            told: dict[str, Any] = self.wide.get(f"/Patient/{self.me}").json
            return told
        answer = self.wide("POST", f"/{kind}", json=self.body(kind))
        assert answer.status_code == 201, (kind, answer.text)
        return self.ended(answer.json)

    def ended(self, resource: dict[str, Any]) -> dict[str, Any]:
        """A consent to share at once withdrawn again, lest it open the chart to others."""
        if resource["resourceType"] != "Consent":
            return resource
        over = resource | {"status": "inactive"}
        answer = self.wide("PUT", f"/Consent/{resource['id']}", json=over)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json
        return told

    def body(self, kind: str) -> dict[str, Any]:
        """A new resource of a type, with a number of its own."""
        self.made += 1
        session = self.seen["session"]
        told: dict[str, dict[str, Any]] = {
            "Patient": patient(None),
            **bodies(self.me),
            "Encounter": visit(self.me, self.scene["CT"].user_id, 3000 + 60 * self.made),
            "Observation": vital(self.scene, session, "8867-4", valueQuantity=quantity(70, "/min")),
            "QuestionnaireResponse": answered(self.me, dict.fromkeys(range(1, 10), 0)),
            "Consent": sharing(self.me) | {"dateTime": instant(clock.now())},
        }
        number = {"system": "https://other.example/ids", "value": f"n-{self.made}"}
        is_list = kind != "QuestionnaireResponse"
        return told[kind] | {"identifier": [number] if is_list else number}

    def client(self, persona: str, row: Row) -> Client:
        """A client of the persona, signed in for a row."""
        just = " ".join(f"system/{one}" for one in row.scopes) or "system/Organization.r"
        if persona == "SX":
            return replace(self.known, scope=without(row.scopes)).sign_in()
        one = {"SY": self.known, "SC": self.stranger, "XS": self.foreign}[persona]
        return replace(one, scope=just).sign_in()

    def id(self, row: Row) -> str:
        """The id that a route names: of this patient's chart, where its type hangs on one."""
        if row.path.startswith("/bulk/"):
            return self._export(row)
        if row.path == "/Subscription/{id}" and row.method == "DELETE":
            with db.transaction():
                return str(charts.subscribed(self.known, self.scene.clinic_id)["id"])
        if row.method in ("PUT", "PATCH"):
            return str(self.written[row.kind]["id"])
        if row.kind not in self.ids:
            self.ids[row.kind] = self._found(row.kind)
        return self.ids[row.kind]

    def _found(self, kind: str) -> str:
        if kind == "Patient":
            return self.me
        query = f"patient={self.me}" if "patient" in KINDS[kind].params else "_count=5"
        if kind == "Provenance":
            query = f"target=Goal/{self.seen['goal']['id']}"
        found = self.wide.get(f"/{kind}?{query}").json
        return str(found["entry"][-1]["resource"]["id"])

    def _export(self, row: Row) -> str:
        if row.method == "DELETE" or "export" not in self.ids:
            ordered = {"Prefer": "respond-async"}
            answer = self.wide.get("/$export?_type=Goal", headers=ordered)
            assert answer.status_code == 202, answer.text
            self.ids["export"] = answer.headers["Content-Location"].rpartition("/")[2]
            while bulk_making.make_next():
                pass
        return self.ids["export"] if row.method == "GET" else self.ids.pop("export")

    def request(self, row: Row, reader: Client | None = None) -> tuple[str, dict[str, Any]]:
        """The path of a route with the ids of this world, and the least that it is sent.

        A version is the one that the reader finds, the client who knows the patient if nobody else.
        """
        path = {"(base)": "", "(base)/": "/"}.get(row.path, row.path)
        one = self.id(row) if "{id}" in path else ""
        path = path.replace("{id}", one).replace("{name}", "Goal")
        if "{version}" in path:
            now = (reader or self.wide).get(path.partition("/_history")[0]).json
            path = path.replace("{version}", now["meta"]["versionId"])
        more: dict[str, Any] = {}
        if row.path.startswith("/bulk/"):
            more["headers"] = {"Accept": "*/*"}
        elif "$export" in path:
            path, more["headers"] = f"{path}?_type=Goal", {"Prefer": "respond-async"}
        elif row.deed == "search":
            of_all = {"_count": "1000"}
            more = {"query_string": of_all} if row.method == "GET" else {"data": of_all}
        elif row.method in ("POST", "PUT", "PATCH"):
            path, more = self._sent(row, path, one)
        return path, more

    def _sent(self, row: Row, path: str, one: str) -> tuple[str, dict[str, Any]]:
        if row.method == "PATCH":
            steps = [{"op": "test", "path": "/id", "value": one}]
            return path, {"data": json.dumps(steps), "content_type": PATCH}
        if row.method == "PUT" and one:
            return path, {"json": self.written[row.kind]}
        if row.path.startswith("(base)"):
            told = {"resource": self.body("Condition")}
            entry = told | {"request": {"method": "POST", "url": "Condition"}}
            return path, {"json": {"resourceType": "Bundle", "type": "batch", "entry": [entry]}}
        if row.kind == "Subscription" and not one:
            return path, {"json": subscription("https://ehr.example/hook")}
        if one:
            return path, {}
        body = self.body(row.kind)
        if row.method == "PUT":
            number = body["identifier"][0]
            path = f"{path}?identifier={number['system']}|{number['value']}"
        return path, {"json": body}

    def nowhere(self, path: str, more: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The same request of records that are not there."""
        other: dict[str, str] = {}

        def instead(found: re.Match[str]) -> str:
            return other.setdefault(found.group(), str(uuid4()))

        changed = dict(more)
        if "json" in more:
            changed["json"] = json.loads(UUID.sub(instead, json.dumps(more["json"])))
        if "content_type" in more:
            changed["data"] = UUID.sub(instead, more["data"])
        return UUID.sub(instead, path), changed
