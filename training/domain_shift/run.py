"""shift.json, shift.png and shift.md of two sides."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from service.video.over_time.analysis import Floats, distribution
from service.video.over_time.distances import Distances, measure_distances
from training.analyse.figure import COLUMNS
from training.analyse.run import known_input
from training.analyse.samples import choose_samples, draw_samples
from training.domain_shift.figure import draw_figure
from training.domain_shift.sides import FEATURES, Side, read_side
from training.errors import InputError
from training.figures.style import save_figure

STEM = "shift"


def compare(a: Path, b: Path, names: tuple[str, str], out: Path) -> dict[str, Any]:
    """Writes the three files for two predicted folders; returns what shift.json says. Raises InputError."""
    sides = read_side(a, names[0]), read_side(b, names[1])
    if sides[0].folder.classes != sides[1].folder.classes:
        raise InputError(f"{a} and {b} have other classes; compare predictions of one model")
    common = [feature for feature in FEATURES if all(feature in side.features for side in sides)]
    distances = {key: measure_distances(sides[0].features[key], sides[1].features[key]) for key in common}
    numbers = _numbers(sides, distances)
    out.mkdir(parents=True, exist_ok=True)
    save_figure(draw_figure(sides, distances, [_samples(side) for side in sides]), out / f"{STEM}.png", numbers)
    (out / f"{STEM}.md").write_text(_markdown(numbers))
    return numbers


def _numbers(sides: tuple[Side, Side], distances: Mapping[str, Distances]) -> dict[str, Any]:
    return {
        "sides": {key: _side(side) for key, side in zip("ab", sides, strict=True)},
        "distances": {key: asdict(found) for key, found in distances.items()},
        "missing": [feature for feature in FEATURES if feature not in distances],
        "shifted": [key for key, found in distances.items() if found.reading == "large"],
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "name": side.name,
        "frames": len(side.names),
        "frames_without_detection": int((side.coverage == 0).sum()),
        "detection_rate": _rate(side.coverage),
        "mean_coverage": round(float(side.coverage.mean()), 6),
        "classes": {
            key: {"detection_rate": _rate(v), "mean_coverage": round(float(v.mean()), 6)}
            for key, v in side.class_coverage.items()
        },
        "features": {key: asdict(distribution(values)) for key, values in side.features.items()},
    }


def _rate(coverage: Floats) -> float:
    return round(float((coverage > 0).mean()), 6)


def _samples(side: Side) -> list[tuple[str, Any]]:
    places = choose_samples(side.coverage.tolist(), COLUMNS)
    names = [side.names[place] for place in places]
    pictures = draw_samples(side.folder, names, known_input(side.folder.path))
    captions = [f"{name}: {100 * side.coverage[place]:.1f}%" for name, place in zip(names, places, strict=True)]
    return list(zip(captions, pictures, strict=True))


def _markdown(numbers: Mapping[str, Any]) -> str:
    a, b = numbers["sides"]["a"], numbers["sides"]["b"]
    lines = [
        f"# Domain shift from {a['name']} to {b['name']}",
        "",
        "![shift](shift.png)",
        "",
        f"| | A: {a['name']} | B: {b['name']} |",
        "|---|---|---|",
        f"| frames | {a['frames']} | {b['frames']} |",
        f"| without a detection | {a['frames_without_detection']} | {b['frames_without_detection']} |",
        f"| detection rate | {_percent(a['detection_rate'])} | {_percent(b['detection_rate'])} |",
        f"| mean coverage | {_percent(a['mean_coverage'])} | {_percent(b['mean_coverage'])} |",
        "",
        "| feature | mean A | mean B | PSI (by chance) | reading | Wasserstein (SD of A) | Kolmogorov-Smirnov |",
        "|---|---|---|---|---|---|---|",
    ]
    for key, found in numbers["distances"].items():
        means = f"{a['features'][key]['mean']:.4g} | {b['features'][key]['mean']:.4g}"
        in_sd = found["wasserstein_in_sd"]
        moved = f"{found['wasserstein']:.4g} ({'-' if in_sd is None else f'{in_sd:.2f}'})"
        lines.append(
            f"| {key} | {means} | {found['psi']:.3f} ({found['psi_by_chance']:.3f}) | {found['reading']} | {moved} | "
            f"{found['kolmogorov_smirnov']:.3f} |"
        )
    lines += [
        "",
        "PSI over A's deciles; moderate and large: more than 0.1 and 0.25 above what chance gives for so many frames.",
        "Neighbouring frames of a video are alike: the distances describe these two, they test nothing.",
        "",
    ]
    if numbers["missing"]:
        lines += [f"Not in both tables: {', '.join(numbers['missing'])}.", ""]
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"
