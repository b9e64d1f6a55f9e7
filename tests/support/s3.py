"""An S3 server of the test's own on this machine: moto, which keeps buckets in memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
from moto.server import ThreadedMotoServer
from pytest import MonkeyPatch  # noqa: PT013  (a type)

BUCKET = "videos"


@dataclass(frozen=True, slots=True)
class S3:
    url: str
    """`http://127.0.0.1:<port>`"""

    @property
    def environment(self) -> dict[str, str]:
        """As a process needs it that uses this server."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "of-this-test",
            "AWS_SECRET_ACCESS_KEY": "of-this-test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def keys(self, prefix: str = "") -> list[str]:
        """Of all objects, by a client that is not ours."""
        pages = self._client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def make_bucket(self) -> None:
        self._client().create_bucket(Bucket=BUCKET)

    def _client(self):  # type: ignore[no-untyped-def]
        given = self.environment
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=given["AWS_REGION"],
            aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        )


@contextmanager
def running_s3() -> Iterator[S3]:
    """A server with an empty bucket."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    s3 = S3(f"http://{host}:{port}")
    s3.make_bucket()
    try:
        yield s3
    finally:
        server.stop()


def use(s3: S3, monkeypatch: MonkeyPatch) -> None:
    """Have this process's clients go there."""
    assert "AWS_PROFILE" not in os.environ
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
