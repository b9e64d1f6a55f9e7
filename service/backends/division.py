"""How a CPU's cores are divided among several frames: into as many lanes as answer most frames a second."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from service.backends import Backend
from service.backends.candidates import Candidate
from service.imaging.geometry import U8

FEWER_LANES_SHARE = 0.95
"""Fewer lanes with more threads each answer a frame sooner: they are taken where they keep this much of the rate."""
ALONE_SHARE = 0.9
"""One run after the other has to answer more by a tenth: it is measured with the cores to itself, and under load their
other work holds up each of its threads."""
RATE_SECONDS = 0.1


def divisions(alone: Candidate, cores: int) -> list[Candidate]:
    """Lanes of one thread each, of two, of four, ...: as long as there are two of them."""
    found, threads = [], 1
    while alone.provider == "cpu" and 2 * threads <= cores:
        found.append(alone.model_copy(update={"threads": threads, "lanes": cores // threads}))
        threads *= 2
    return found


def frames_per_second(backend: Backend, frame: U8, clock: Callable[[], float] = time.perf_counter) -> float:
    """With all lanes at work on a frame uint8 [1, h, w, 3], after a run in each."""

    def work(until: float) -> int:
        done = 0
        while done == 0 or clock() < until:
            backend.run(frame)
            done += 1
        return done

    with ThreadPoolExecutor(backend.lanes) as pool:
        for ends_after in (0.0, RATE_SECONDS):
            began_at = clock()
            runs = sum(pool.map(work, [began_at + ends_after] * backend.lanes))
        return runs / max(clock() - began_at, 1e-9)


def best_division(rates: list[float]) -> int:
    """Which of several candidates serves under load, by its number; `rates` are their frames a second, first that of a
    lone run, then those of ever fewer lanes."""
    alone, *lanes = rates
    enough = FEWER_LANES_SHARE * max(lanes, default=0.0)
    fewest = max((index for index, rate in enumerate(rates) if index and rate >= enough), default=0)
    return fewest if fewest and rates[fewest] >= ALONE_SHARE * alone else 0
