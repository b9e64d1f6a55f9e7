"""The model card: the manifest's facts for a person."""

from collections.abc import Sequence
from pathlib import Path

from service.manifest.entries import Parity
from service.manifest.record import CrossvalScore, Score
from service.manifest.schema import Manifest

CARD_FILE = "card.md"


def write_card(manifest: Manifest, folder: Path) -> None:
    (folder / CARD_FILE).write_text(render_card(manifest))


def render_card(manifest: Manifest) -> str:
    """Markdown."""
    sections = [
        _head(manifest),
        _scores(manifest.metrics),
        _crossval(manifest.crossval),
        _parity(manifest),
        ["## What helped", "", manifest.what_helped] if manifest.what_helped else [],
    ]
    return "\n".join("\n".join(lines) + "\n" for lines in sections if lines)


def _head(manifest: Manifest) -> list[str]:
    foreground = ", ".join(entry.name for entry in manifest.classes[1:])
    training = manifest.training
    filters = f", then {' and '.join(manifest.input.filters)}" if manifest.input.filters else ""
    start = f", fine-tuned from `{training.started_from}`" if training.started_from else ""
    return [
        f"# {manifest.name}/{manifest.version}",
        "",
        f"Finds: {foreground}. Input {manifest.input.width}x{manifest.input.height} "
        f"({manifest.input.resize}{filters}). **Not a medical device.**",
        "",
        f"- Intended use: {manifest.intended_use}",
        f"- Limits: {manifest.limits}",
        f"- Trained on {training.split}; split by {training.split_unit}; preset `{training.preset}`{start}, "
        f"{training.epochs} epochs, seed {training.seed}, code {training.code_version}.",
        f"- Licence of the weights: {manifest.licence.weights}. Of the data: {manifest.licence.data}.",
    ]


def _scores(scores: Sequence[Score]) -> list[str]:
    rows = [
        [
            s.dataset,
            s.group,
            s.class_name,
            s.n,
            *(f"{v:.3f}" for v in (s.dice, s.dice_pooled, s.iou, s.precision, s.recall)),
        ]
        for s in scores
    ]
    return [
        "## Scores on held-out data",
        "",
        "By `model.onnx` run through the service's own code at each frame's size. Dice and IoU are means over the "
        "frames; pooled Dice, precision and recall are over all pixels together.",
        "",
        *_table(["data", "group", "class", "n", "Dice", "Dice pooled", "IoU", "precision", "recall"], rows),
    ]


def _crossval(scores: Sequence[CrossvalScore]) -> list[str]:
    if not scores:
        return []
    rows = [[s.group, s.class_name, s.n, f"{s.dice:.3f}", f"{s.iou:.3f}"] for s in scores]
    for name in dict.fromkeys(s.class_name for s in scores):
        of_class = [s for s in scores if s.class_name == name]
        dice, iou = (sum(values) / len(of_class) for values in ([s.dice for s in of_class], [s.iou for s in of_class]))
        rows.append(["**mean**", name, sum(s.n for s in of_class), f"**{dice:.3f}**", f"**{iou:.3f}**"])
    return [
        "## Cross-validation",
        "",
        "Each group scored by a net of the same preset that was trained without it; the mean is over the groups.",
        "",
        *_table(["group", "class", "n", "Dice", "IoU"], rows),
    ]


def _parity(manifest: Manifest) -> list[str]:
    if not manifest.parity:
        return []
    heads = ["precision", "backend", "largest step of 255", "golden pixels that change", "held-out pixels that change"]
    rows = [
        [
            p.precision,
            p.backend,
            p.largest_difference,
            f"{p.changed_share:.3%}",
            "" if p.held_out_changed_share is None else f"{p.held_out_changed_share:.3%}",
            "" if p.dice_difference is None else f"{p.dice_difference:+.4f}",
            _time(p),
        ]
        for p in manifest.parity
    ]
    made = [f"- {name.upper()}: {entry.made}." for name, entry in manifest.files.items() if entry.made]
    machines = [f"- Times: {text}." for text in dict.fromkeys(p.machine for p in manifest.parity if p.machine)]
    return [
        "## Precisions and backends",
        "",
        "Steps and golden pixels against PyTorch in FP32, on synthetic frames and noise. Dice and held-out pixels "
        "against the FP32 file (of FP32: Dice against PyTorch), on the set where it lost most. Time over FP32's in the "
        "same backend.",
        "",
        *_table([*heads, "Dice", "time"], rows),
        *([""] if made or machines else []),
        *made,
        *machines,
    ]


def _time(parity: Parity) -> str:
    return "" if parity.relative_time is None else f"{parity.relative_time:.2f}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    cells = [list(heads), ["---"] * len(heads), *rows]
    return ["| " + " | ".join(map(str, row)) + " |" for row in cells]
