"""UCL ex-vivo dVRK set, in the layout of the release."""

from pathlib import Path

from tests.support.published.pictures import channels, flat, halves, write_picture


def write_video_folder(folder: Path, frames: int = 2) -> Path:
    for number in range(frames):
        write_picture(folder / "images" / f"{number:03d}.png", flat(90))
        write_picture(folder / "green_screen" / f"{number:03d}.png", flat(200))
        write_picture(folder / "ground_truth" / f"{number:03d}.png", channels(halves(0, 255)))
    (folder / "kinematic.mat").write_bytes(b"\0")
    return folder
