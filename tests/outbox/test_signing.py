"""Signatures that the reference library takes, and that one changed byte breaks."""

import time
from base64 import b64decode

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from api.outbox import signing

BODY = b'{"type":"check_in.completed"}'


def headers(secret: str, key: str | None = None, body: bytes = BODY) -> dict[str, str]:
    now = int(time.time())
    signature = signing.sign("msg", now, body, [secret], key)
    return {
        "webhook-id": "msg",
        "webhook-timestamp": str(now),
        "webhook-signature": signature,
    }


def test_the_example_of_the_specification() -> None:
    signed = signing.sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        None,
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_reference_library_takes_them() -> None:
    secret = signing.new_secret()
    assert Webhook(secret).verify(BODY, headers(secret, signing.new_key()))


def test_another_body_or_another_secret_is_refused() -> None:
    secret = signing.new_secret()
    for checked, body in ((secret, BODY + b" "), (signing.new_secret(), BODY)):
        with pytest.raises(WebhookVerificationError):
            Webhook(checked).verify(body, headers(secret))


def test_ed25519_signs_the_same_and_the_public_key_opens_it() -> None:
    secret, key = signing.new_secret(), signing.new_key()
    sent = headers(secret, key)
    v1, v1a = sent["webhook-signature"].split(" ")
    assert v1.startswith("v1,") and v1a.startswith("v1a,")
    public = signing.public_key(key)
    assert public.startswith("whpk_") and secret.startswith("whsec_")
    opened = Ed25519PublicKey.from_public_bytes(b64decode(public.removeprefix("whpk_")))
    signed = f"msg.{sent['webhook-timestamp']}.".encode() + BODY
    opened.verify(b64decode(v1a.removeprefix("v1a,")), signed)
    with pytest.raises(InvalidSignature):
        opened.verify(b64decode(v1a.removeprefix("v1a,")), signed + b" ")
