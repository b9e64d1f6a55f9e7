"""The file that every peer is given, of a model that they answer as the service does."""

from pathlib import Path

from benchmarks.peers.segmenting import THRESHOLD
from service.imaging.geometry import threshold_level
from service.manifest.package import Package


def model_for_peers(package: Package) -> Path:
    """The FP32 file. Raises ValueError for a model whose frames or masks are not as `segmenting` makes them: the peers'
    masks would be others than the service's, and their times for other work.
    """
    manifest = package.manifest
    differs = {
        f"{len(manifest.classes)} classes": len(manifest.classes) != 2,
        f"resize {manifest.input.resize}": manifest.input.resize != "stretch",
        f"filters {', '.join(manifest.input.filters)}": bool(manifest.input.filters),
        f"threshold {manifest.threshold:g}": threshold_level(manifest.threshold) != THRESHOLD,
    }
    if seen := [what for what, other in differs.items() if other]:
        raise ValueError(
            f"{package.label} has {', '.join(seen)}; the peers stretch frames, filter none and tell two classes "
            "apart at 0.5. Name such a model in ENDOMASK_DEFAULT_MODEL, or teach benchmarks/peers/segmenting.py"
        )
    return package.model_path("fp32")
