"""Signatures of webhooks: how one is made and how those of others are checked. Pure: the time is an argument.

scheme             header                  what is signed
standard-webhooks  webhook-signature       id.timestamp.body    `v1,<base64>`, several separated by blanks
stripe             stripe-signature        timestamp.body       `t=<timestamp>,v1=<hex>`, several `v1`
github             x-hub-signature-256     body                 `sha256=<hex>`
hmac-sha256        one that is named       body                 `<hex>`, perhaps after `sha256=`

All are HMAC with SHA-256. Only the first signs the id of the message; the last two sign no time either, so whoever has
seen such a request can send it again for ever: what then keeps it out is its event id.

Several secrets may hold at once, while one is being replaced by another: everything is signed with each, and a
signature with any of them is good.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from trickle.errors import ConfigurationError

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
_PREFIX = "whsec_"


class Scheme(StrEnum):
    """Whose way of signing."""

    STANDARD = "standard-webhooks"
    GITHUB = "github"
    STRIPE = "stripe"
    HMAC = "hmac-sha256"
    NONE = "none"


_SIGNATURE_HEADERS = {
    Scheme.STANDARD: SIGNATURE_HEADER,
    Scheme.GITHUB: "x-hub-signature-256",
    Scheme.STRIPE: "stripe-signature",
    Scheme.HMAC: "x-signature-256",
}


def keys(scheme: Scheme, secrets: str) -> tuple[bytes, ...]:
    """The keys of secrets that are separated by blanks. Raises ConfigurationError, which never shows a secret."""
    given = secrets.split()
    if scheme is not Scheme.STANDARD:
        return tuple(secret.encode() for secret in given)
    return tuple(_decoded(number, secret) for number, secret in enumerate(given, 1))


def _decoded(number: int, secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ConfigurationError(
            f"webhook secret number {number} is not base64",
            hint="a secret is `whsec_` and then 24 to 64 bytes in base64; separate several by blanks",
        )
    return key


def sign(event_id: str, timestamp: int, body: bytes, keys: Iterable[bytes]) -> str:
    """The `webhook-signature` of a message that is sent at `timestamp` (seconds since 1970): one for each key.

    >>> sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}',
    ...      keys=[base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")])
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    signed = _standard_text(event_id, str(timestamp), body)
    return " ".join("v1," + base64.b64encode(_hmac(key, signed)).decode() for key in keys)


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a request must be signed with to be believed."""

    scheme: Scheme
    keys: tuple[bytes, ...]
    header: str = ""  # where the signature is; "" for where its scheme has it
    tolerance_seconds: float = 300.0

    @property
    def signature_header(self) -> str:
        return (self.header or _SIGNATURE_HEADERS.get(self.scheme, "")).lower()

    def fault(self, headers: Mapping[str, str], body: bytes, now: float) -> str | None:
        """Why this request is not believed, in a sentence for its sender, or None. Header names are in lower case."""
        if self.scheme is Scheme.NONE:
            return None
        given = headers.get(self.signature_header)
        if not given:
            return f"the header {self.signature_header} is missing"
        if not given.isascii():
            return "the signature is not right"
        match self.scheme:
            case Scheme.STANDARD:
                return self._standard_fault(headers, given, body, now)
            case Scheme.STRIPE:
                return self._stripe_fault(given, body, now)
            case _:
                return self._fault_of(body, [given.strip().removeprefix("sha256=").lower()])

    def _standard_fault(self, headers: Mapping[str, str], given: str, body: bytes, now: float) -> str | None:
        event_id, timestamp = headers.get(ID_HEADER), headers.get(TIMESTAMP_HEADER)
        if not event_id or not timestamp:
            return f"the headers {ID_HEADER} and {TIMESTAMP_HEADER} are both needed"
        signed = _standard_text(event_id, timestamp, body)
        signatures = [rest for version, _, rest in (part.partition(",") for part in given.split()) if version == "v1"]
        expected = [base64.b64encode(_hmac(key, signed)).decode() for key in self.keys]
        return self._time_fault(timestamp, now) or _unless_equal(expected, signatures)

    def _stripe_fault(self, given: str, body: bytes, now: float) -> str | None:
        pairs = [(name.strip(), value) for name, _, value in (part.partition("=") for part in given.split(","))]
        timestamp = next((value for name, value in pairs if name == "t"), "")
        signatures = [value for name, value in pairs if name == "v1"]
        return self._time_fault(timestamp, now) or self._fault_of(timestamp.encode() + b"." + body, signatures)

    def _fault_of(self, signed: bytes, signatures: list[str]) -> str | None:
        return _unless_equal([_hmac(key, signed).hex() for key in self.keys], signatures)

    def _time_fault(self, timestamp: str, now: float) -> str | None:
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):
            return "the timestamp is not a number of seconds since 1970"
        if abs(now - int(timestamp)) > self.tolerance_seconds:
            return f"the timestamp is more than {self.tolerance_seconds:g} s away from the time here"
        return None


def _standard_text(event_id: str, timestamp: str, body: bytes) -> bytes:
    # Headers that are no UTF-8 come with surrogates in place of their bytes.
    return f"{event_id}.{timestamp}.".encode("utf-8", "surrogateescape") + body


def _hmac(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, signed, hashlib.sha256).digest()


def _unless_equal(expected: list[str], given: list[str]) -> str | None:
    # All are compared, so that the time it takes says nothing of which one was near.
    equal = [hmac.compare_digest(one.encode(), other.encode()) for one in expected for other in given]
    return None if any(equal) else "the signature is not right"
