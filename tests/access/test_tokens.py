"""Tokens: what was forged, altered, borrowed or has ended opens nothing, and breaks nothing."""

import base64
import json
import time
from collections.abc import Callable
from hashlib import sha256
from hmac import new as hmac
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask

from api import clock, db
from api.access import keys, tokens
from api.access.users import sign_ins, users
from api.config import settings
from api.errors import NotSignedIn
from tests.builders import Person, Scene

ADDRESSES = ("/me", "/patients", "/users", "/clinic", "/me/sign-ins")
REMOVE = object()
SAID = ("The token can't be read.", "The token is not valid.", "The sign-in has ended.")
"""All that is told of a token that is refused."""


def b64(data: bytes | str) -> str:
    """Base64url without padding."""
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(person: Person, **changed: Any) -> dict[str, Any]:
    """The claims of a good token, some of them changed or removed."""
    now = int(time.time())
    good = {
        "iss": settings().issuer,
        "aud": settings().audience,
        "sub": str(person.user_id),
        "sid": str(person.sign_in_id),
        "clinic": str(person.clinic_id),
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "jti": "0b8fd6a1-1f3e-4d0c-9a52-6f5d0c7f2e11",
        "type": "access",
        "fresh": False,
    }
    return {name: value for name, value in (good | changed).items() if value is not REMOVE}


def signed(person: Person, header: dict[str, Any] | None = None, **changed: Any) -> str:
    """A token signed with our own key, header and claims changed."""
    kid, key = keys.signing_key()
    top = {"alg": "ES256", "typ": "at+jwt", "kid": kid} | (header or {})
    top = {name: value for name, value in top.items() if value is not REMOVE}
    return sealed(top, json.dumps(claims(person, **changed)), key)


def sealed(header: dict[str, Any], payload: str, key: Any = None) -> str:
    """Header and payload as they are, with an ES256 signature over them."""
    text = f"{b64(json.dumps(header))}.{b64(payload)}"
    private = key or keys.signing_key()[1]
    es256 = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
    return f"{text}.{b64(es256.sign(text.encode(), private))}"


def hashed(person: Person, secret: bytes, name: str = "HS256") -> str:
    """A token with our public key used as a shared secret."""
    header = {"alg": name, "typ": "at+jwt", "kid": keys.signing_key()[0]}
    text = f"{b64(json.dumps(header))}.{b64(json.dumps(claims(person)))}"
    return f"{text}.{b64(hmac(secret, text.encode(), sha256).digest())}"


def public(encoding: Encoding) -> bytes:
    """Our public key in bytes."""
    key = keys.signing_key()[1].public_key()
    return key.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def unsigned(person: Person, name: str) -> str:
    """A token that says it needs no signature."""
    header = {"alg": name, "typ": "at+jwt", "kid": keys.signing_key()[0]}
    return f"{b64(json.dumps(header))}.{b64(json.dumps(claims(person)))}."


def others(person: Person, kind: str) -> str:
    """A token signed with somebody else's key under our key's name."""
    kid = keys.signing_key()[0]
    key: Any = {
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "RS256": lambda: rsa.generate_private_key(65537, 2048),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }[kind]()
    header = {"kid": kid, "typ": "at+jwt"}
    return jwt.encode(claims(person), key, kind, headers=header)


def cut(person: Person, change: Callable[[list[str]], list[str]]) -> str:
    """A good token with its parts changed."""
    return ".".join(change(signed(person).split(".")))


def with_bit_flipped(person: Person) -> str:
    """A good token whose signature differs in one bit."""
    head, body, seal = signed(person).split(".")
    raw = bytearray(base64.urlsafe_b64decode(seal + "=="))
    raw[7] ^= 1
    return f"{head}.{body}.{b64(bytes(raw))}"


Forge = Callable[[Person], str]
NOW = time.time


def changed(**more: Any) -> Forge:
    """Forge by changing claims."""
    return lambda person: signed(person, **more)


def moved(**seconds: int) -> Forge:
    """Forge by claiming other times, so many seconds from when the token is made."""
    return lambda person: signed(person, **{n: int(NOW()) + s for n, s in seconds.items()})


def topped(**more: Any) -> Forge:
    """Forge by changing the header."""
    return lambda person: signed(person, more)


CORPUS: dict[str, Forge] = {
    "alg none": lambda p: unsigned(p, "none"),
    "alg None": lambda p: unsigned(p, "None"),
    "alg nOnE": lambda p: unsigned(p, "nOnE"),
    "alg empty": lambda p: unsigned(p, ""),
    "HS256 with the public key as PEM": lambda p: hashed(p, public(Encoding.PEM)),
    "HS256 with the public key as DER": lambda p: hashed(p, public(Encoding.DER)),
    "HS256 with an empty secret": lambda p: hashed(p, b""),
    "HS512 said, HS256 done": lambda p: hashed(p, public(Encoding.PEM), "HS512"),
    "somebody else's ES256 key": lambda p: others(p, "ES256"),
    "somebody else's ES384 key": lambda p: others(p, "ES384"),
    "somebody else's RS256 key": lambda p: others(p, "RS256"),
    "somebody else's EdDSA key": lambda p: others(p, "EdDSA"),
    "unknown kid": topped(kid="nobody"),
    "missing kid": topped(kid=REMOVE),
    "kid null": topped(kid=None),
    "kid a number": topped(kid=1),
    "kid a list": topped(kid=["x"]),
    "kid a path": topped(kid="../../etc/passwd"),
    "kid SQL": topped(kid="' OR 1=1 --"),
    "typ JWT": topped(typ="JWT"),
    "typ missing": topped(typ=REMOVE),
    "typ a list": topped(typ=["at+jwt"]),
    "typ refresh": topped(typ="rt+jwt"),
    "alg missing": topped(alg=REMOVE),
    "alg a number": topped(alg=1),
    "alg ES384 said": topped(alg="ES384"),
    "crit": topped(crit=["x"], x=1),
    "crit b64": topped(crit=["b64"], b64=False),
    "jku": lambda p: sealed({"alg": "ES256", "jku": "https://evil.example"}, "{}"),
    "own jwk in the header": lambda p: jwt.encode(
        claims(p), ec.generate_private_key(ec.SECP256R1()), "ES256", headers={"jwk": {"kty": "EC"}}
    ),
    "header of 3 KiB": topped(x="x" * 3000),
    "header of 100 KiB": topped(x="x" * 100_000),
    "header nested deep": lambda p: f"{b64('[' * 900 + ']' * 900)}.{b64('{}')}.{b64('x')}",
    "no exp": changed(exp=REMOVE),
    "exp null": changed(exp=None),
    "exp a word": changed(exp="never"),
    "exp a list": changed(exp=[1]),
    "exp huge": changed(exp=10**30),
    "exp a day ahead": moved(exp=86_400),
    "expired": moved(iat=-900, nbf=-900, exp=-300),
    "exp negative": changed(exp=-1),
    "no iat": changed(iat=REMOVE),
    "iat a word": changed(iat="now"),
    "iat ahead": moved(iat=600, exp=900),
    "no nbf": changed(nbf=REMOVE),
    "nbf ahead": moved(nbf=300),
    "nbf a word": changed(nbf="now"),
    "no jti": changed(jti=REMOVE),
    "jti null": changed(jti=None),
    "jti empty": changed(jti=""),
    "no sub": changed(sub=REMOVE),
    "sub a number": changed(sub=7),
    "sub a list": changed(sub=["x"]),
    "sub no id": changed(sub="admin"),
    "no sid": changed(sid=REMOVE),
    "sid no id": changed(sid="1"),
    "sid a dict": changed(sid={"a": 1}),
    "sid of nobody": changed(sid="00000000-0000-7000-8000-000000000000"),
    "no clinic": changed(clinic=REMOVE),
    "clinic no id": changed(clinic="x"),
    "clinic of nobody": changed(clinic="00000000-0000-7000-8000-000000000000"),
    "no aud": changed(aud=REMOVE),
    "wrong aud": changed(aud="freshtrail-fhir"),
    "aud a list with ours": lambda p: signed(p, aud=[settings().audience, "other"]),
    "aud a list of ours": lambda p: signed(p, aud=[settings().audience]),
    "aud in capitals": lambda p: signed(p, aud=settings().audience.upper()),
    "no iss": changed(iss=REMOVE),
    "wrong iss": changed(iss="https://evil.example"),
    "iss a list": lambda p: signed(p, iss=[settings().issuer]),
    "type refresh": changed(type="refresh"),
    "type service": changed(type="service"),
    "type a list": changed(type=["access"]),
    "type null": changed(type=None),
    "type missing": changed(type=REMOVE),
    "signature missing": lambda p: cut(p, lambda parts: [*parts[:2], ""]),
    "signature of zeros": lambda p: cut(p, lambda parts: [*parts[:2], b64(bytes(64))]),
    "signature turned round": lambda p: cut(p, lambda parts: [*parts[:2], parts[2][::-1]]),
    "signature with a bit flipped": with_bit_flipped,
    "payload of another": lambda p: cut(
        p, lambda parts: [parts[0], b64(json.dumps(claims(p, clinic=str(db.new_id())))), parts[2]]
    ),
    "two parts": lambda p: cut(p, lambda parts: parts[:2]),
    "four parts": lambda p: cut(p, lambda parts: [*parts, parts[2]]),
    "five parts": lambda p: cut(p, lambda parts: [*parts, *parts[:2]]),
    "bad base64": lambda p: cut(p, lambda parts: [parts[0], "%%%", parts[2]]),
    "header no JSON": lambda p: cut(p, lambda parts: [b64("x"), *parts[1:]]),
    "header a list": lambda p: cut(p, lambda parts: [b64("[]"), *parts[1:]]),
    "header null": lambda p: cut(p, lambda parts: [b64("null"), *parts[1:]]),
    "payload no JSON": lambda p: sealed(
        {"alg": "ES256", "typ": "at+jwt", "kid": keys.signing_key()[0]}, "nonsense"
    ),
    "payload a list": lambda p: sealed(
        {"alg": "ES256", "typ": "at+jwt", "kid": keys.signing_key()[0]}, "[1]"
    ),
    "payload not UTF-8": lambda p: cut(p, lambda parts: [parts[0], b64(b"\xff\xfe"), parts[2]]),
    "only dots": lambda p: "..",
    "a word": lambda p: "x",
    "a refresh token": lambda p: "b" * 43,
    "NUL within": lambda p: cut(p, lambda parts: [parts[0], parts[1] + "%00", parts[2]]),
    "a second exp": lambda p: sealed(
        {"alg": "ES256", "typ": "at+jwt", "kid": keys.signing_key()[0]},
        json.dumps(claims(p))[:-1] + ', "exp": 1}',
    ),
}


def ask(app: Flask, header: str | None, path: str = "/me") -> Any:
    """One request with an Authorization header as it is."""
    sent = {"X-Request-ID": "same"} | ({} if header is None else {"Authorization": header})
    return app.test_client().get(f"/api/v1{path}", headers=sent)


def is_refused(answer: Any) -> bool:
    """Whether the answer is the 401 that every bad token gets."""
    body = answer.json or {}
    challenge = answer.headers.get("WWW-Authenticate", "")
    return (
        answer.status_code == 401
        and answer.content_type == "application/problem+json"
        and sorted(body) == ["detail", "instance", "request_id", "status", "title", "type"]
        and body["detail"] in SAID
        and body["type"] == "urn:freshtrail:problem:not_signed_in"
        and challenge == 'Bearer error="invalid_token"'
    )


def test_a_forged_token_opens_nothing_and_is_told_no_more_than_any_other(
    app: Flask, scene: Scene
) -> None:
    forged = [(name, f"Bearer {forge(scene['CA'])}") for name, forge in CORPUS.items()]
    asked = [(name, path, ask(app, token, path)) for name, token in forged for path in ADDRESSES]
    assert [(*which, got.status_code) for *which, got in asked if not is_refused(got)] == []


def test_the_token_that_the_forgeries_start_from_is_good(app: Flask, scene: Scene) -> None:
    assert ask(app, f"Bearer {signed(scene['CA'])}").status_code == 200
    assert ask(app, f"Bearer {scene['CA'].token}").status_code == 200


def test_the_scheme_is_read_in_any_case_and_nothing_else_counts(app: Flask, scene: Scene) -> None:
    token = scene["CT"].token
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert ask(app, f"{scheme} {token}").status_code == 200
    basic = base64.b64encode(b"clinician@demo.example:fresh-snow-2026").decode()
    for header in (
        f"Basic {basic}",
        f"Basic {token}",
        f"Token {token}",
        f"DPoP {token}",
        token,
        "Bearer",
        "Bearer ",
        f"Bearer  {token}",
        f"Bearer {token}, Bearer {token}",
        f"Bearer {token} {token}",
        f"Bearer {token},",
        f"Bearer\t{token}",
        f"Bearer {token}é",
    ):
        assert is_refused(ask(app, header)), header


def test_two_authorization_headers_are_refused(app: Flask, scene: Scene) -> None:
    twice = [("Authorization", f"Bearer {scene['CT'].token}")] * 2
    answer = app.test_client().get("/api/v1/me", headers=twice)
    assert is_refused(answer), answer.text


def test_a_token_is_read_from_the_header_alone(app: Flask, scene: Scene) -> None:
    token, client = scene["CT"].token, app.test_client()
    client.set_cookie("access_token_cookie", token)
    for path in ("/api/v1/me", f"/api/v1/me?jwt={token}", f"/api/v1/me?access_token={token}"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), path
        assert answer.json["detail"] == "Sign in first."


def test_a_good_token_dies_with_its_sign_in_at_the_next_request(app: Flask, scene: Scene) -> None:
    ends: dict[str, Any] = {
        "CT": sign_ins.update().values(revoked_at=clock.now()),
        "CN": sign_ins.update().values(ends_at=clock.now()),
        "PS": sign_ins.update().values(security_version=99),
        "CA": users.update().values(disabled_at=clock.now()),
        "PR": users.update().values(security_version=99),
    }
    for name, change in ends.items():
        person = scene[name]
        table = change.table
        own = person.user_id if table is users else person.sign_in_id
        assert ask(app, f"Bearer {person.token}").status_code == 200
        with db.transaction() as store:
            store.execute(change.where(table.c.id == own))
        assert is_refused(ask(app, f"Bearer {person.token}")), name


def test_a_sign_in_of_another_clinic_or_user_does_not_carry_over(app: Flask, scene: Scene) -> None:
    ct, xt, ca = scene["CT"], scene["XT"], scene["CA"]
    for token in (
        tokens.issue(ct.sign_in_id, ct.user_id, xt.clinic_id),
        tokens.issue(ct.sign_in_id, ca.user_id, ct.clinic_id),
        tokens.issue(xt.sign_in_id, ct.user_id, ct.clinic_id),
    ):
        assert is_refused(ask(app, f"Bearer {token}"))


def test_a_token_carries_no_rights(app: Flask, scene: Scene) -> None:
    patient = signed(scene["PS"], role="administrator", privileges=["direct"], scope="*")
    assert ask(app, f"Bearer {patient}").json["kind"] == "patient"
    assert ask(app, f"Bearer {patient}", "/users").status_code == 403


def test_an_expired_token_is_not_kept_alive_by_the_memory_of_a_good_verdict(
    app: Flask, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = int(NOW())
    token = signed(scene["CT"], iat=now - 580, nbf=now - 580, exp=now + 2)
    assert ask(app, f"Bearer {token}").status_code == 200
    monkeypatch.setattr("api.access.remembered.time.time", lambda: now + 3.0)
    key = sha256(token.encode()).digest()
    assert tokens._good[key][0] <= now + 2


def test_a_token_may_live_as_long_as_ours_do_and_their_leeway_and_no_second_more(
    app: Flask, scene: Scene
) -> None:
    now = int(time.time())
    longest = settings().access_minutes * 60 + 30
    for lives, status in ((longest, 200), (longest + 1, 401)):
        answer = ask(app, f"Bearer {signed(scene['CT'], iat=now, exp=now + lives)}")
        assert answer.status_code == status, lives


def test_a_token_of_more_than_four_kibibytes_is_not_looked_at(scene: Scene) -> None:
    sizes = {}
    plain = len(signed(scene["CT"]))
    for more in range((4096 - plain) * 3 // 4 - 40, (4096 - plain) * 3 // 4 + 40):
        for top in range(6):
            token = signed(scene["CT"], {"x": "x" * top}, more="x" * more)
            sizes[len(token)] = token
    assert tokens.read(f"Bearer {sizes[4096]}")["sub"] == scene["CT"].user_id
    with pytest.raises(NotSignedIn, match="can't be read"):
        tokens.read(f"Bearer {sizes[4097]}")


def test_a_token_found_good_is_not_proved_again_for_a_moment(
    app: Flask, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = f"Bearer {scene['CT'].token}"
    first = tokens.read(header)

    def proved(token: str) -> Any:
        raise AssertionError("proved again")

    monkeypatch.setattr(tokens, "_verified", proved)
    assert tokens.read(header) == first


def test_an_application_that_is_made_ready_issues_and_reads_our_tokens_alone() -> None:
    ready, ids = Flask("ready"), [db.new_id() for _ in range(3)]
    tokens.prepare(ready)
    public_key = keys.signing_key()[1].public_key()
    with ready.app_context():
        token = tokens.issue(*ids)
        top = jwt.get_unverified_header(token)
        ours = {"audience": settings().audience, "issuer": settings().issuer}
        said = jwt.decode(token, public_key, ["ES256"], **ours)
        read = tokens.read(f"Bearer {token}")
        for change, good in (({"exp": -29}, True), ({"exp": -31}, False)):
            times = {name: int(time.time()) + s for name, s in ({"iat": -300} | change).items()}
            aged = sealed(top, json.dumps(said | times))
            assert is_read(aged) is good, change
        assert is_read(sealed(top, json.dumps(said)))
        for claim in ("iss", "aud"):
            assert not is_read(sealed(top, json.dumps(said | {claim: "https://evil.example"})))
    assert top == {"alg": "ES256", "typ": "at+jwt", "kid": keys.signing_key()[0]}
    assert (said["sid"], said["sub"], said["clinic"]) == tuple(str(one) for one in ids)
    assert said["exp"] - said["iat"] == settings().access_minutes * 60
    assert said["type"] == "access" and read["sub"] == ids[1]
    assert ready.config["JWT_TOKEN_LOCATION"] == ["headers"]


def is_read(token: str) -> bool:
    """Whether a token is taken."""
    try:
        return bool(tokens.read(f"Bearer {token}"))
    except NotSignedIn:
        return False


def test_there_are_forgeries_enough() -> None:
    assert len(CORPUS) >= 90
