"""Contact sheets: many small frames with their masks, so that a person sees in a minute what was accepted."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from service.imaging.geometry import U8
from service.imaging.overlay import draw
from training.datasets.picture_files import read_rgb
from training.pseudo_label.choice import Verdict

COLUMNS, ROWS = 5, 4
PER_SHEET = COLUMNS * ROWS
_CELL_WIDTH, _CELL_HEIGHT, _CAPTION, _GAP, _HEAD = 320, 240, 20, 8, 40
_OPACITY = 0.35
_INK, _GREEN, _RED, _PAPER = (34, 34, 34), (0, 122, 86), (190, 60, 10), (255, 255, 255)

Colour = tuple[int, int, int]


def write_sheets(
    verdicts: Sequence[Verdict], mask_of: Callable[[str], U8], palette: list[Colour], folder: Path
) -> list[Path]:
    """The first and last accepted frames, the first rejected ones, and pages of all, most doubtful first."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    accepted = [verdict for verdict in verdicts if verdict.accepted]
    rejected = [verdict for verdict in verdicts if not verdict.accepted]
    count = f"of {len(accepted)} accepted frames"
    sheets = {
        "accepted-most-doubtful": (f"The most doubtful {count}", accepted[:PER_SHEET]),
        "accepted-least-doubtful": (f"The least doubtful {count}", accepted[-PER_SHEET:]),
        "rejected": (f"Of {len(rejected)} rejected frames, evenly spread", _spread(rejected, PER_SHEET)),
    }
    pages = range(0, len(verdicts), PER_SHEET)
    for page, start in enumerate(pages, start=1):
        title = f"All {len(verdicts)} frames, most doubtful first: page {page} of {len(pages)}"
        sheets[f"all-{page:03d}"] = (title, list(verdicts[start : start + PER_SHEET]))
    return [
        _write(title, chosen, mask_of, palette, folder / f"{name}.png")
        for name, (title, chosen) in sheets.items()
        if chosen
    ]


def _spread(items: Sequence[Verdict], count: int) -> list[Verdict]:
    places = sorted({round(place) for place in np.linspace(0, len(items) - 1, count).tolist()}) if items else []
    return [items[place] for place in places]


def _write(
    title: str, verdicts: Sequence[Verdict], mask_of: Callable[[str], U8], palette: list[Colour], path: Path
) -> Path:
    cells = [_cell(read_rgb(verdict.frame.picture), mask_of(verdict.frame.name), palette) for verdict in verdicts]
    rows = -(-len(verdicts) // COLUMNS)
    step_x, step_y = _CELL_WIDTH + _GAP, max(cell.shape[0] for cell in cells) + _CAPTION + _GAP
    sheet = Image.new("RGB", (COLUMNS * step_x + _GAP, rows * step_y + _HEAD), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP, 8), title, _INK, ImageFont.load_default(20))
    small = ImageFont.load_default(13)
    for place, (verdict, cell) in enumerate(zip(verdicts, cells, strict=True)):
        x, y = _GAP + place % COLUMNS * step_x, _HEAD + place // COLUMNS * step_y
        sheet.paste(Image.fromarray(cell), (x + (_CELL_WIDTH - cell.shape[1]) // 2, y + _CAPTION))
        caption = f"{_short(verdict.frame.id)}  doubt {verdict.doubt:.2f}  {verdict.reason}"
        pen.text((x, y + 2), caption, _GREEN if verdict.accepted else _RED, small)
    sheet.save(path)
    return path


def _cell(image: U8, labels: U8, palette: list[Colour]) -> U8:
    """The frame with its mask, drawn at the size of the cell so that outlines stay thin and visible."""
    scale = min(_CELL_WIDTH / image.shape[1], _CELL_HEIGHT / image.shape[0])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return draw(small, np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT)), palette, _OPACITY)


def _short(text: str, most: int = 24) -> str:
    return text if len(text) <= most else f"...{text[-most + 3 :]}"
