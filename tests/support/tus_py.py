"""Sends a file with tuspy as a script would: python tus_py.py ENDPOINT FILE CHUNK_BYTES."""

import sys

from tusclient.client import TusClient

if __name__ == "__main__":
    endpoint, path, chunk_bytes = sys.argv[1:]
    uploader = TusClient(endpoint).uploader(
        path,
        chunk_size=int(chunk_bytes),
        metadata={"filename": "op 3.mp4", "outputs": "frames"},
        retries=60,
        retry_delay=0.5,
        upload_checksum=True,
    )
    uploader.upload()
