"""Signatures of webhooks, against the vectors that others have published and against changes of any part.

They would catch: a scheme that signs too little, one secret of several that does not count, a time that is not looked
at.
"""

from __future__ import annotations

import base64
import doctest
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trickle.errors import ConfigurationError
from trickle.relay import signatures
from trickle.relay.signatures import Scheme, Verifier, keys, sign

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, NOW, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def standard(secrets: str = SECRET) -> Verifier:
    return Verifier(Scheme.STANDARD, keys(Scheme.STANDARD, secrets))


def signed(signature: str = SIGNATURE, event_id: str = ID, timestamp: str = str(NOW)) -> dict[str, str]:
    return {"webhook-id": event_id, "webhook-timestamp": timestamp, "webhook-signature": signature}


def test_the_examples_run() -> None:
    assert doctest.testmod(signatures).failed == 0


def test_the_published_vector() -> None:
    assert sign(ID, NOW, BODY, keys(Scheme.STANDARD, SECRET)) == SIGNATURE
    assert standard().fault(signed(), BODY, NOW) is None


def test_of_several_secrets_each_signs_and_each_is_good() -> None:
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    both = sign(ID, NOW, BODY, keys(Scheme.STANDARD, f"{other} {SECRET}"))
    assert both.split()[1] == SIGNATURE
    for verifier in (standard(), standard(other), standard(f"{SECRET} {other}")):
        assert verifier.fault(signed(both), BODY, NOW) is None
    assert standard(f"{other} {SECRET}").fault(signed(), BODY, NOW) is None
    assert standard(other).fault(signed(), BODY, NOW) == "the signature is not right"


@pytest.mark.parametrize(
    ("headers", "body", "now", "fault"),
    [
        (signed(event_id="another"), BODY, NOW, "the signature is not right"),
        (signed(), BODY + b" ", NOW, "the signature is not right"),
        (signed("v1a" + SIGNATURE[2:]), BODY, NOW, "the signature is not right"),
        (signed("v1,ÿ"), BODY, NOW, "the signature is not right"),
        (signed(), BODY, NOW + 301, "the timestamp is more than 300 s away from the time here"),
        (signed(), BODY, NOW - 301, "the timestamp is more than 300 s away from the time here"),
        (signed(timestamp="soon"), BODY, NOW, "the timestamp is not a number of seconds since 1970"),
        (signed(timestamp="9" * 400), BODY, NOW, "the timestamp is not a number of seconds since 1970"),
        (signed(event_id=""), BODY, NOW, "the headers webhook-id and webhook-timestamp are both needed"),
        ({}, BODY, NOW, "the header webhook-signature is missing"),
    ],
)
def test_what_is_not_believed(headers: dict[str, str], body: bytes, now: float, fault: str) -> None:
    assert standard().fault(headers, body, now) == fault


def test_github() -> None:
    """The example of GitHub's documentation."""
    verifier = Verifier(Scheme.GITHUB, (b"It's a Secret to Everybody",))
    good = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    assert verifier.fault(good, b"Hello, World!", NOW) is None
    assert verifier.fault(good, b"Hello, World?", NOW) == "the signature is not right"


def test_stripe() -> None:
    verifier = Verifier(Scheme.STRIPE, keys(Scheme.STRIPE, "whsec_raw"))
    digest = hmac.new(b"whsec_raw", f"{NOW}.".encode() + BODY, hashlib.sha256).hexdigest()
    good = {"stripe-signature": f"t={NOW},v1={'0' * 64},v1={digest},v0=old"}
    assert verifier.fault(good, BODY, NOW) is None
    assert verifier.fault(good, BODY + b"x", NOW) == "the signature is not right"
    assert verifier.fault(good, BODY, NOW + 3600) == "the timestamp is more than 300 s away from the time here"
    assert verifier.fault({"stripe-signature": "nonsense"}, BODY, NOW) is not None


@pytest.mark.parametrize("prefix", ["", "sha256="])
def test_plain_hmac_in_a_header_of_ones_own(prefix: str) -> None:
    verifier = Verifier(Scheme.HMAC, (b"secret",), header="X-Shop-Signature")
    digest = hmac.new(b"secret", BODY, hashlib.sha256).hexdigest()
    assert verifier.fault({"x-shop-signature": prefix + digest.upper()}, BODY, NOW) is None
    assert verifier.fault({"x-shop-signature": prefix + digest}, BODY, NOW) is None
    assert verifier.fault({"x-signature-256": digest}, BODY, NOW) == "the header x-shop-signature is missing"


def test_whoever_asks_for_no_signature_gets_none() -> None:
    assert Verifier(Scheme.NONE, ()).fault({}, BODY, NOW) is None


@pytest.mark.parametrize("secret", ["whsec_", "whsec_not base64", "whsec_%%%"])
def test_a_wrong_secret_is_said_without_showing_it(secret: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        keys(Scheme.STANDARD, f"{SECRET} {secret}")
    assert "number 2" in str(caught.value)
    assert "%%%" not in str(caught.value) and SECRET[6:] not in str(caught.value)


@given(st.text(min_size=1).filter(lambda text: text.isprintable()), st.binary(), st.binary(min_size=1))
def test_what_is_signed_is_believed(event_id: str, body: bytes, key: bytes) -> None:
    verifier = Verifier(Scheme.STANDARD, (key,))
    headers = signed(sign(event_id, NOW, body, [key]), event_id)
    assert verifier.fault(headers, body, NOW) is None
    assert verifier.fault(headers, body + b"x", NOW) is not None
