"""Sends a file with tuspy as a script would: python tus_py.py ENDPOINT FILE CHUNK_BYTES HOLD_BYTES.

Once HOLD_BYTES have arrived it waits for the end of its input, so that the test ends the server before all is sent.
"""

import sys

from tusclient.client import TusClient

if __name__ == "__main__":
    endpoint, path, chunk_bytes, hold_bytes = sys.argv[1:]
    uploader = TusClient(endpoint).uploader(
        path,
        chunk_size=int(chunk_bytes),
        metadata={"filename": "op 3.mp4", "outputs": "frames"},
        retries=600,
        retry_delay=0.5,
        upload_checksum=True,
    )
    uploader.upload(stop_at=int(hold_bytes))
    sys.stdin.read()
    uploader.upload()
