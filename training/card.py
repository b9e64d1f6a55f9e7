"""The model card: the manifest's facts for a person."""

from pathlib import Path

from service.manifest import Manifest

CARD_FILE = "card.md"


def write_card(manifest: Manifest, folder: Path) -> None:
    (folder / CARD_FILE).write_text(render_card(manifest))


def render_card(manifest: Manifest) -> str:
    """Markdown."""
    foreground = ", ".join(entry.name for entry in manifest.classes[1:])
    training = manifest.training
    return "\n".join(
        [
            f"# {manifest.name}/{manifest.version}",
            "",
            f"Finds: {foreground}. Input {manifest.input.width}x{manifest.input.height} ({manifest.input.resize}). "
            "**Not a medical device.**",
            "",
            f"- Intended use: {manifest.intended_use}",
            f"- Limits: {manifest.limits}",
            f"- Trained on {training.split}; split by {training.split_unit}; preset `{training.preset}`, "
            f"{training.epochs} epochs, seed {training.seed}, code {training.code_version}.",
            f"- Licence of the weights: {manifest.licence.weights}. Of the data: {manifest.licence.data}.",
            "",
            "Scores on held-out data, by `model.onnx` run through the service's own code at each frame's size. "
            "Dice and IoU are means over the frames; pooled Dice, precision and recall are over all pixels together.",
            "",
            "| data | group | class | n | Dice | Dice pooled | IoU | precision | recall |",
            "|---|---|---|---|---|---|---|---|---|",
            *_score_rows(manifest),
            "",
            *_parity_lines(manifest),
            "",
        ]
    )


def _score_rows(manifest: Manifest) -> list[str]:
    return [
        f"| {s.dataset} | {s.group} | {s.class_name} | {s.n} | {s.dice:.3f} | {s.dice_pooled:.3f} | {s.iou:.3f} "
        f"| {s.precision:.3f} | {s.recall:.3f} |"
        for s in manifest.metrics
    ]


def _parity_lines(manifest: Manifest) -> list[str]:
    return [
        f"Parity with PyTorch ({p.precision}, {p.backend}, batches of {' and '.join(map(str, p.batch_sizes))}, "
        f"{p.frames} frames): largest difference {p.largest_difference} of 255, {p.changed_share:.4%} of the pixels "
        "change class."
        for p in manifest.parity
    ]
