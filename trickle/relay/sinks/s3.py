"""Objects of an S3-compatible store: a batch is an object of JSON lines.

    <prefix>/2026/11/22/14/<first event id>-<count>.jsonl.gz

The hour is that in which the first message was published, in UTC, and compression leaves no time in the object: the
same batch has the same name and the same bytes, so that one which is sent again replaces itself. A batch that was cut
differently the second time is another object; who reads has the event ids in the lines.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from itertools import groupby
from typing import Any, TypeVar
from urllib.parse import quote

import boto3
from botocore import exceptions as boto
from botocore.config import Config

from trickle.errors import ConfigurationError
from trickle.relay.connector import SinkConnector
from trickle.relay.failures import ConnectorError, Failure, FailureKind
from trickle.relay.lines import LAYOUTS, line
from trickle.relay.message import Outgoing
from trickle.relay.options import option
from trickle.relay.threads import in_thread

Answer = TypeVar("Answer")

_KINDS = {
    "NoSuchBucket": FailureKind.DESTINATION,
    "PermanentRedirect": FailureKind.DESTINATION,
    "AccessDenied": FailureKind.AUTHORIZATION,
    "AllAccessDisabled": FailureKind.AUTHORIZATION,
    "InvalidAccessKeyId": FailureKind.AUTHENTICATION,
    "SignatureDoesNotMatch": FailureKind.AUTHENTICATION,
    "AuthorizationHeaderMalformed": FailureKind.AUTHENTICATION,
    "ExpiredToken": FailureKind.AUTHENTICATION,
    "InvalidToken": FailureKind.AUTHENTICATION,
    "RequestTimeTooSkewed": FailureKind.AUTHENTICATION,
    "SlowDown": FailureKind.THROTTLED,
    "TooManyRequests": FailureKind.THROTTLED,
    "Throttling": FailureKind.THROTTLED,
    "KeyTooLongError": FailureKind.DESTINATION,
    "EntityTooLarge": FailureKind.TOO_LARGE,
}


@dataclass(frozen=True, slots=True)
class S3Options:
    """Which bucket of which store, as whom, and how objects look."""

    bucket: str = option("The bucket.")
    prefix: str = option("First part of the names, of messages without an address.", default="", template=True)
    endpoint_url: str = option("The store, where it is not that of AWS.", default="")
    region: str = option("Region.", default="us-east-1")
    access_key_id: str = option("Without one, credentials are looked for where the AWS tools do.", default="")
    secret_access_key: str = option("Its secret.", default="", secret=True)
    session_token: str = option("For credentials that expire.", default="", secret=True)
    gzip: bool = option("Whether objects are compressed.", default=True)
    layout: str = option(
        "json: bodies as they are; envelope: with id, key and headers; raw: whatever is in them.",
        default="json",
        choices=LAYOUTS,
    )
    path_style: bool = option("Whether the bucket stands in the path and not in the host name.", default=False)
    connect_timeout_seconds: float = option("For a new connection.", default=10.0, unit="s", minimum=0.1)
    timeout_seconds: float = option("For an answer.", default=30.0, unit="s", minimum=0.1)


class S3Sink:
    """A client, used by one thread at a time."""

    keeps_order = True

    def __init__(self, options: S3Options) -> None:
        if not options.bucket:
            raise ConfigurationError("s3: the bucket is empty")
        if bool(options.access_key_id) != bool(options.secret_access_key):
            raise ConfigurationError("s3: access_key_id and secret_access_key are given both or not at all")
        self._options = options
        self._client: Any = None
        self._turn = asyncio.Lock()
        self._broken: ConnectorError | None = None

    async def open(self) -> None:
        self._broken = None
        self._client = await self._in_thread(partial(_client, self._options))
        await self._in_thread(partial(_find_bucket, self._client, self._options.bucket))

    async def send(self, messages: Sequence[Outgoing]) -> Mapping[int, Failure]:
        failures: dict[int, Failure] = {}
        # One call after another: of two under way at once the second could be there without the first.
        async with self._turn:
            if self._broken is not None or self._client is None:
                raise self._broken or ConnectorError(FailureKind.UNAVAILABLE, "the store is not open")
            for address, indexes in groupby(range(len(messages)), key=lambda index: messages[index].address):
                await self._put(address, messages, list(indexes), failures)
        return failures

    async def close(self) -> None:
        async with self._turn:
            client, self._client = self._client, None
            if client is not None:
                client.close()

    async def _put(
        self, address: str, messages: Sequence[Outgoing], indexes: Sequence[int], failures: dict[int, Failure]
    ) -> None:
        lines = {index: line(messages[index], self._options.layout) for index in indexes}
        failures |= {index: text for index, text in lines.items() if isinstance(text, Failure)}
        whole = {index: text for index, text in lines.items() if isinstance(text, bytes)}
        if not whole:
            return
        key = name_of(
            address or self._options.prefix, [messages[index] for index in whole], compressed=self._options.gzip
        )
        body = b"".join(whole.values())
        try:
            await self._in_thread(partial(_put_object, self._client, self._options, key, body))
        except ConnectorError as error:
            self._broken = error
            raise
        except asyncio.CancelledError:
            self._broken = ConnectorError(FailureKind.UNAVAILABLE, "an object was given up")
            raise

    async def _in_thread(self, work: Callable[[], Answer]) -> Answer:
        try:
            return await in_thread(lambda _: work())
        except (boto.BotoCoreError, boto.ClientError, ValueError) as error:
            raise connector_error(error, self._options.bucket) from error


def name_of(prefix: str, messages: Sequence[Outgoing], *, compressed: bool) -> str:
    """The name of the object of these messages."""
    first = messages[0]
    hour = first.created_at.astimezone(UTC).strftime("%Y/%m/%d/%H")
    name = f"{quote(first.event_id, safe='')}-{len(messages)}.jsonl{'.gz' if compressed else ''}"
    return "/".join(part for part in (prefix.strip("/"), hour, name) if part)


def connector_error(error: Exception, bucket: str) -> ConnectorError:
    """What an error of the client means; its words hold names, and no secrets that this shows."""
    match error:
        case boto.ClientError():
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            kind = _KINDS.get(code) or _kind_of_status(status)
            return ConnectorError(kind, f"bucket {bucket}: the store answers {code or status}")
        case boto.SSLError():
            return ConnectorError(FailureKind.TLS, f"bucket {bucket}: no TLS connection to the store")
        case boto.ReadTimeoutError():
            return ConnectorError(FailureKind.TIMEOUT, f"bucket {bucket}: no answer in time")
        case boto.NoCredentialsError() | boto.PartialCredentialsError() | boto.CredentialRetrievalError():
            return ConnectorError(
                FailureKind.AUTHENTICATION, f"bucket {bucket}: there are no credentials for the store"
            )
        case boto.ParamValidationError() | boto.NoRegionError() | ValueError():
            return ConnectorError(FailureKind.DESTINATION, f"bucket {bucket}: the store cannot be addressed so")
        case _:
            return ConnectorError(FailureKind.UNAVAILABLE, f"bucket {bucket}: {type(error).__name__}")


def _kind_of_status(status: int) -> FailureKind:
    known = {
        401: FailureKind.AUTHENTICATION,
        403: FailureKind.AUTHORIZATION,
        404: FailureKind.DESTINATION,
        301: FailureKind.DESTINATION,
        429: FailureKind.THROTTLED,
    }
    return known.get(status, FailureKind.DESTINATION if 400 <= status < 500 else FailureKind.UNAVAILABLE)


def _client(options: S3Options) -> Any:
    config = Config(
        connect_timeout=options.connect_timeout_seconds,
        read_timeout=options.timeout_seconds,
        # Whoever called tries again, and knows for how long.
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path" if options.path_style else "auto"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client(
        "s3",
        region_name=options.region,
        endpoint_url=options.endpoint_url or None,
        aws_access_key_id=options.access_key_id or None,
        aws_secret_access_key=options.secret_access_key or None,
        aws_session_token=options.session_token or None,
        config=config,
    )


def _find_bucket(client: Any, bucket: str) -> None:
    try:
        client.head_bucket(Bucket=bucket)
    except boto.ClientError as error:
        # Who may only write may not look, and learns with the first object whether it may write.
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") != 403:
            raise


def _put_object(client: Any, options: S3Options, key: str, body: bytes) -> None:
    if options.gzip:
        body = gzip.compress(body, mtime=0)
    client.put_object(
        Bucket=options.bucket,
        Key=key,
        Body=body,
        ContentType="application/gzip" if options.gzip else "application/x-ndjson",
    )


CONNECTOR = SinkConnector(
    name="s3",
    options=S3Options,
    make=S3Sink,
    address="prefix",
    identity="the object's name: the same batch replaces itself",
    boundary="the store has taken the object",
    extra="s3",
)
