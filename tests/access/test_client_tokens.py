"""What proves an EHR client: the right form, the one key, times to the second, our own tokens."""

import json
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from api.access import client_tokens, keys
from api.access.client_tokens import Refused
from api.config import settings

NOW = 1_800_000_000
AUDIENCE = "https://clinic.example/fhir/R4/auth/token"
CLIENT, CLINIC = UUID(int=5), UUID(int=6)
EC, OTHER_EC = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
RSA = rsa.generate_private_key(65537, 2048)


def public(key: Any, **more: Any) -> dict[str, Any]:
    """A key as a client registers it."""
    return {k: v for k, v in (whole(key.public_key()) | more).items() if v != "-"}


def whole(key: Any) -> dict[str, Any]:
    """A key as it is, with what nobody is to see."""
    is_rsa = isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey)
    kind = jwt.algorithms.RSAAlgorithm if is_rsa else jwt.algorithms.ECAlgorithm
    spelled: dict[str, Any] = json.loads(kind.to_jwk(key))
    return spelled | {"kid": "one"}


def assertion(header: dict[str, Any] | None = None, key: Any = EC, **claims: Any) -> str:
    told = {"iss": str(CLIENT), "sub": str(CLIENT), "aud": AUDIENCE, "jti": "j", "exp": NOW + 240}
    full = {name: value for name, value in (told | claims).items() if value is not None}
    return jwt.encode(full, key, "ES384", {"kid": "one"} | (header or {}))


def exactly(why: str) -> str:
    """The whole words of a refusal, or one of several."""
    return f"^({why})$"


def test_a_client_is_named_by_its_assertion_alone() -> None:
    assert client_tokens.client_named(assertion()) == CLIENT
    for iss in (None, "x", 7, [str(CLIENT)], ""):
        body = json.dumps({"iss": iss} if iss is not None else {}).encode()
        token = f"{assertion().split('.')[0]}.{urlsafe_b64encode(body).decode().rstrip('=')}.AA"
        with pytest.raises(Refused, match=exactly("no such client|no assertion")):
            client_tokens.client_named(token)
    for words in ("", "x", "a.b.c", assertion()[:-90].replace(".", "")):
        with pytest.raises(Refused, match=exactly("no assertion")):
            client_tokens.client_named(words)
    with pytest.raises(Refused, match=exactly("too long")):
        client_tokens.client_named(assertion() + "é")


def test_an_assertion_of_more_than_eight_kibibytes_is_not_looked_at() -> None:
    sizes = {len(assertion(x="x" * n)): assertion(x="x" * n) for n in range(5700, 6000)}
    longest, over = (max(n for n in sizes if n <= 8192), min(n for n in sizes if n > 8192))
    head, body, _ = sizes[longest].split(".")
    exact = f"{head}.{body}.".ljust(8192, "A")
    assert client_tokens.client_named(exact) == client_tokens.client_named(sizes[longest]) == CLIENT
    with pytest.raises(Refused, match=exactly("too long")):
        client_tokens.client_named(sizes[over])
    with pytest.raises(Refused, match=exactly("too long")):
        client_tokens.client_named(exact + "A")


def headed(**header: Any) -> str:
    """An assertion with this header, unsigned."""
    told = {"alg": "ES384", "kid": "one", "typ": "JWT"} | header
    text = json.dumps({name: value for name, value in told.items() if value != "-"})
    return f"{urlsafe_b64encode(text.encode()).decode().rstrip('=')}.e30.AA"


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({"alg": "RS384", "typ": "jwt", "kid": "k" * 255}, None),
        ({"kid": "k"}, None),
        *(({"alg": alg}, "algorithm or key") for alg in ("ES256", "HS384", "none", "es384", "-")),
        ({"kid": "k" * 256}, "algorithm or key"),
        ({"kid": ""}, "algorithm or key"),
        ({"kid": "-"}, "algorithm or key"),
        ({"kid": 7}, "no header|algorithm or key"),
        ({"crit": ["exp"]}, "no header|algorithm or key"),
        ({"crit": ["b64"], "b64": True}, "algorithm or key"),
        *(({"typ": typ}, "type") for typ in ("-", "", "at+jwt", ["JWT"], None)),
    ],
)
def test_a_header_says_algorithm_key_and_type(header: dict[str, Any], why: str | None) -> None:
    if why is None:
        assert client_tokens.header_of(headed(**header))["kid"] == header.get("kid", "one")
    else:
        with pytest.raises(Refused, match=exactly(why)):
            client_tokens.header_of(headed(**header))


def test_what_has_no_header_is_refused() -> None:
    for words in ("", "x", "x.y.z", "W10.e30.AA"):
        with pytest.raises(Refused, match=exactly("no header")):
            client_tokens.header_of(words)


ES384 = {"alg": "ES384", "kid": "one"}
RS384 = {"alg": "RS384", "kid": "one"}


@pytest.mark.parametrize(
    ("header", "listed"),
    [
        (ES384, [public(EC)]),
        (ES384, [public(EC, alg="ES384", use="sig")]),
        (ES384, [public(OTHER_EC, kid="two"), public(EC), public(RSA)]),
        (ES384, ["one", None, public(EC)]),
        (RS384, [public(RSA), public(EC)]),
    ],
)
def test_the_one_key_that_the_header_means_is_found(
    header: dict[str, Any], listed: list[Any]
) -> None:
    wanted = (EC if header is ES384 else RSA).public_key().public_numbers()
    assert client_tokens.key_for(header, {"keys": listed}).public_numbers() == wanted


@pytest.mark.parametrize(
    ("header", "jwks"),
    [
        (ES384, {"keys": [public(EC), public(OTHER_EC)]}),
        (ES384, {"keys": [public(EC, kid="two")]}),
        (ES384, {"keys": [public(EC, kid="-")]}),
        (ES384, {"keys": [public(EC, use="enc")]}),
        (ES384, {"keys": [public(EC, alg="RS384")]}),
        (ES384, {"keys": [public(EC, crv="P-256")]}),
        (ES384, {"keys": [public(EC, d="AAAA")]}),
        (ES384, {"keys": [whole(EC)]}),
        (RS384, {"keys": [whole(RSA)]}),
        (ES384, {"keys": [public(EC, x="AAAA")]}),
        (ES384, {"keys": [public(EC, x="-")]}),
        (ES384, {"keys": [public(EC, kty="RSA")]}),
        (ES384, {"keys": [public(RSA)]}),
        (RS384, {"keys": [public(EC)]}),
        (RS384, {"keys": [public(RSA, n="-")]}),
        *((ES384, jwks) for jwks in ({}, {"keys": []}, {"keys": public(EC)}, [public(EC)], None)),
    ],
)
def test_no_key_two_or_one_of_another_kind_is_refused(header: dict[str, Any], jwks: Any) -> None:
    with pytest.raises(Refused, match=exactly("key")):
        client_tokens.key_for(header, jwks)


def prove(token: str, key: Any = EC, at: float = NOW) -> dict[str, Any]:
    with time_machine.travel(at, tick=False):
        return client_tokens.proved(token, key.public_key(), "ES384", AUDIENCE)


def test_what_is_proved_says_who_until_when() -> None:
    claims = prove(assertion())
    assert (claims["iss"], claims["sub"], claims["jti"]) == (str(CLIENT), str(CLIENT), "j")
    assert client_tokens.ends_at(claims) == datetime.fromtimestamp(NOW + 250, UTC)


@pytest.mark.parametrize("lives", [1, 300, 310])
def test_an_assertion_may_end_five_minutes_ahead_and_the_clocks_differ(lives: int) -> None:
    assert prove(assertion(exp=NOW + lives))["exp"] == NOW + lives


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": NOW + 311}, "too far ahead"),
        ({"exp": NOW + 310.5}, "too far ahead|not proved"),
        ({"exp": NOW}, "not proved"),
        ({"exp": NOW - 1}, "not proved"),
        *(({name: None}, "not proved") for name in ("exp", "jti", "iss", "sub", "aud")),
        ({"aud": "https://other.example"}, "not proved"),
        ({"aud": [AUDIENCE]}, "not proved"),
        ({"nbf": NOW + 5}, "not proved"),
        ({"sub": str(CLINIC)}, "names"),
        ({"jti": ""}, "names"),
        ({"jti": "j" * 256}, "names"),
    ],
)
def test_what_is_wrong_in_one_thing_is_not_proved(claims: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=exactly(why)):
        prove(assertion(**claims))


def test_a_name_for_once_has_255_signs_at_most_and_the_key_must_be_the_clients() -> None:
    assert prove(assertion(jti="j" * 255))["jti"] == "j" * 255
    with pytest.raises(Refused, match=exactly("not proved")):
        prove(assertion(), OTHER_EC)
    with pytest.raises(Refused, match=exactly("not proved")):
        prove(assertion()[:-4] + "AAAA")


# --- our own tokens for it


def claims_of_ours(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {
        "iss": settings().issuer,
        "aud": f"{settings().audience}-fhir",
        "sub": str(CLIENT),
        "clinic": str(CLINIC),
        "scope": "system/Patient.r",
        "iat": now,
        "exp": now + 300,
        "jti": "j",
    }
    return {name: value for name, value in (good | changed).items() if value is not None}


def ours(header: dict[str, Any] | None = None, key: Any = None, **changed: Any) -> str:
    """A token as we issue it, changed in what is told."""
    kid, private = keys.signing_key()
    top = {"kid": kid, "typ": "ehr+jwt"} | (header or {})
    return jwt.encode(claims_of_ours(**changed), key or private, "ES256", top)


def test_a_token_for_a_client_is_ours_for_five_minutes_with_what_was_granted() -> None:
    token = client_tokens.issue(CLIENT, CLINIC, "system/Patient.r")
    kid, private = keys.signing_key()
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": kid, "typ": "ehr+jwt"}
    kept = {"audience": f"{settings().audience}-fhir", "issuer": settings().issuer}
    said = jwt.decode(token, private.public_key(), ["ES256"], **kept)
    assert said["exp"] - said["iat"] == 300 and abs(said["iat"] - time.time()) < 5
    assert (said["sub"], said["clinic"]) == (str(CLIENT), str(CLINIC))
    assert len(said["jti"]) == 22 and said["scope"] == "system/Patient.r"
    assert said.keys() == claims_of_ours().keys()
    read = client_tokens.read(token)
    assert read == said | {"sub": CLIENT, "clinic": CLINIC, "kid": kid}
    assert client_tokens.read(token) == read
    another = jwt.decode(
        client_tokens.issue(CLIENT, CLINIC, ""), options={"verify_signature": False}
    )
    assert another["jti"] != said["jti"]


def test_a_clients_token_found_good_is_not_proved_again_for_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = client_tokens.issue(CLIENT, CLINIC, "system/Patient.r")
    first = client_tokens.read(token)
    monkeypatch.setattr(client_tokens, "_verified", lambda _token: pytest.fail("proved again"))
    assert client_tokens.read(token) == first


def test_what_the_changed_ones_start_from_is_good() -> None:
    assert client_tokens.read(ours())["sub"] == CLIENT


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        *(({}, {name: None}) for name in claims_of_ours()),
        ({}, {"iss": "https://evil.example"}),
        ({}, {"aud": "freshtrail"}),
        ({}, {"aud": [f"{settings().audience}-fhir"]}),
        ({}, {"exp": 1}),
        ({}, {"sub": "x"}),
        ({}, {"sub": 7}),
        ({}, {"clinic": "x"}),
        ({}, {"clinic": ["x"]}),
        ({"typ": "at+jwt"}, {}),
        ({"typ": "JWT"}, {}),
        ({"kid": "nobody"}, {}),
    ],
)
def test_a_token_that_is_wrong_in_one_thing_opens_nothing(
    header: dict[str, Any], claims: dict[str, Any]
) -> None:
    with pytest.raises(Refused, match=exactly("key|token")):
        client_tokens.read(ours(header, **claims))


def test_a_token_signed_by_another_or_in_another_way_opens_nothing() -> None:
    with pytest.raises(Refused, match=exactly("token")):
        client_tokens.read(ours(key=ec.generate_private_key(ec.SECP256R1())))
    kid, _ = keys.signing_key()
    top = {"kid": kid, "typ": "ehr+jwt"}
    for alg, key in (("ES384", EC), ("HS256", "k" * 32), ("RS256", RSA)):
        token = jwt.encode(claims_of_ours(), key, alg, top)
        with pytest.raises(Refused, match=exactly("key")):
            client_tokens.read(token)
    for words in ("", "x", "..", "x.y.z", ours() + "A" * 4, ours().rpartition(".")[0] + "."):
        with pytest.raises(Refused, match=exactly("token")):
            client_tokens.read(words)
