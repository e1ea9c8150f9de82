"""What the EHR door writes into logs and figures: routes, and nothing that was sent or answered."""

import json
from typing import Any

import pytest
from flask import Flask

from api import config
from api.app import build
from tests.builders import Scene
from tests.fhir.charts import Client
from tests.test_logs import written as written


def test_no_token_name_birth_date_or_search_value_is_in_a_log(
    app: Flask, scene: Scene, ehr: Client, written: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "info")
    config.settings.cache_clear()
    ehr.app = build()
    me = ehr.get(f"/Patient/{scene.patient['id']}").json
    family, born = me["name"][0]["family"], me["birthDate"]
    asked = (f"/Patient?family={family}&birthdate={born}", f"/Patient?wingspan={family}")
    for path in (*asked, f"/Patient/{me['id']}/_history", f"/Nope/{family}"):
        ehr.get(path)
    ehr("POST", "/Patient/_search", data={"name": family})
    ehr("POST", "/Patient", json=me | {"birthDate": "yesterday"})
    monkeypatch.delenv("LOG_LEVEL")
    config.settings.cache_clear()
    lines = [line for line in written() if line["event"] == "request"]
    assert len(lines) == 7 and all(line["status"] for line in lines)
    text = json.dumps(written())
    for secret in (ehr.token, family, born, me["id"], "yesterday"):
        assert str(secret) not in text, secret
