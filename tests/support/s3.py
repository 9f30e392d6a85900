"""An S3-compatible store in this process, with one bucket."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

BUCKET = "messages"
ACCESS, SECRET = "access-of-the-relay", "secret-of-the-relay"


@dataclass(frozen=True, slots=True)
class Store:
    """Where it listens."""

    url: str

    def client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
        )

    def objects(self) -> dict[str, bytes]:
        """All of the bucket, by name."""
        client = self.client()
        names = [found["Key"] for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
        return {name: client.get_object(Bucket=BUCKET, Key=name)["Body"].read() for name in names}


@pytest.fixture(scope="session")
def store_server() -> Iterator[Store]:
    """One store per pytest process."""
    try:
        from moto.server import ThreadedMotoServer
    except ImportError as error:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(f"CI is set, so a missing moto is a failure: install moto[server] ({error})")
        pytest.skip(f"moto[server] is not installed: {error}")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield Store(f"http://{host}:{port}")
    finally:
        server.stop()


@pytest.fixture
def store(store_server: Store) -> Store:
    """Its bucket, empty."""
    client = store_server.client()
    client.create_bucket(Bucket=BUCKET)
    for name in store_server.objects():
        client.delete_object(Bucket=BUCKET, Key=name)
    return store_server
