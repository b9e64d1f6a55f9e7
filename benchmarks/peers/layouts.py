"""The ways in which a peer may be given the cores: all of them are measured, and its best one counts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """Processes, replicas or threads that answer at the same time, in the framework's own sense, and how ONNX Runtime
    runs in each of them. workers * threads is the number of cores."""

    workers: int
    threads: int
    spinning: bool = True
    """Whether threads without work spin, as ONNX Runtime has it unless told otherwise, or sleep."""

    @property
    def name(self) -> str:
        return f"{self.workers} x {self.threads}{'' if self.spinning else ', no spinning'}"


def layouts(cores: int) -> list[Layout]:
    """A worker for each core, one for every two, one for all; where threads wait for each other, spinning and not."""
    workers = sorted({cores, max(1, cores // 2), 1}, reverse=True)
    shared = [Layout(count, cores // count) for count in workers]
    return [*shared, *(Layout(one.workers, one.threads, spinning=False) for one in shared if one.threads > 1)]
