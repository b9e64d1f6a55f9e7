"""mosec: HTTP and queue in Rust, one stage of Python worker processes."""

from mosec import Server, Worker

from benchmarks.peers.segmenting import Options, Segmenter


class Segment(Worker):
    resp_mime_type = "image/png"

    def __init__(self) -> None:
        super().__init__()
        self.segmenter = Segmenter(Options.from_environment())

    def deserialize(self, data: bytes) -> bytes:
        return data

    def serialize(self, data: bytes) -> bytes:
        return data

    def forward(self, data: bytes) -> bytes:
        return self.segmenter.segment(data)


if __name__ == "__main__":
    server = Server()
    server.append_worker(Segment, num=Options.from_environment().workers, route="/segment")
    server.run()
