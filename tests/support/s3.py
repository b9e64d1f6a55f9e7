"""An S3 server of the test's own on this machine: moto, which keeps buckets in memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from moto.server import ThreadedMotoServer
from pytest import MonkeyPatch  # noqa: PT013  (a type)

BUCKET = "videos"


class S3:
    """Buckets outlive `stop`, which closes the port, and a `start`."""

    def __init__(self) -> None:
        self._port = 0
        self.start()

    def start(self) -> None:
        self._server = ThreadedMotoServer("127.0.0.1", self._port, verbose=False)
        self._server.start()
        self._port = self._server.get_host_and_port()[1]

    def stop(self) -> None:
        self._server.stop()
        listener = self._server._server
        assert listener is not None
        listener.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

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

    def write(self, key: str, content: bytes, metadata: dict[str, str]) -> None:
        """Put an object there as something else than Endomask would."""
        self._client().put_object(Bucket=BUCKET, Key=key, Body=content, Metadata=metadata)

    def read(self, key: str) -> bytes:
        return bytes(self._client().get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def metadata(self, key: str) -> dict[str, str]:
        return dict(self._client().head_object(Bucket=BUCKET, Key=key)["Metadata"])

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
    s3 = S3()
    s3.make_bucket()
    try:
        yield s3
    finally:
        s3.stop()


def use(s3: S3, monkeypatch: MonkeyPatch) -> None:
    """Have this process's clients go there."""
    assert "AWS_PROFILE" not in os.environ
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
