"""From `serve` to ready: two models, warm file cache, backends already chosen."""

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.peers.wire import HttpRequest
from benchmarks.processes import end, environment_of, family, free_port, python
from benchmarks.serving import READY_SECONDS, ask_once
from benchmarks.statistics import spread
from service.loading import names_on_disk, packages_on_disk

_POLL_SECONDS = 0.025
_READY = HttpRequest("GET", "/readyz", {}, b"")


def measure(bench: Bench) -> dict[str, Any]:
    """Seconds from the start of the process to the first 200 of `/readyz`; the first start, which chooses, apart."""
    models = _two_models(bench)
    shutil.rmtree(_data_dir(bench), ignore_errors=True)
    first, *others = [_once(bench, models) for _ in range(bench.scale.starts + 1)]
    bench.say(f"ready after {spread(others)['median']:.2f} s")
    return {
        "models": names_on_disk(models),
        "choosing_seconds": round(first, 3),
        "each_seconds": [round(value, 3) for value in others],
        "seconds": spread(others),
    }


def _two_models(bench: Bench) -> Path:
    """A models folder with the default model and the next one."""
    folder, settings = bench.folder / "two-models", bench.settings
    shutil.rmtree(folder, ignore_errors=True)
    names = sorted(names_on_disk(settings.models_dir), key=lambda name: (name != settings.default_model, name))[:2]
    for name in names:
        version, source = max(packages_on_disk(settings.models_dir, name).items())
        (folder / name).mkdir(parents=True)
        (folder / name / str(version)).symlink_to(source.resolve())
    return folder


def _data_dir(bench: Bench) -> Path:
    """One of its own: jobs that another part left would be taken up, and the choice of a backend is to be made once."""
    return bench.folder / "start/data"


def _once(bench: Bench, models: Path) -> float:
    port, log = free_port(), bench.folder / "start/server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    given = {"ENDOMASK_MODELS_DIR": str(models), "ENDOMASK_PORT": str(port), "ENDOMASK_WORKERS": "1"}
    given["ENDOMASK_DATA_DIR"] = str(_data_dir(bench))
    with family(), log.open("wb") as output:
        env = environment_of(**given)
        started_at = time.perf_counter()
        process = subprocess.Popen(python("service", "serve"), env=env, stdout=output, stderr=output)
        try:
            while not _is_ready(port):
                if process.poll() is not None or time.perf_counter() > started_at + READY_SECONDS:
                    raise RuntimeError(f"serve did not become ready: {log.read_text()[-800:]}")
                time.sleep(_POLL_SECONDS)
            return time.perf_counter() - started_at
        finally:
            end(process)


def _is_ready(port: int) -> bool:
    try:
        return ask_once(port, _READY)[0] == 200
    except OSError:
        return False
