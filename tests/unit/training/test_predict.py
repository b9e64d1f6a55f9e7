"""`predict`: what lies in the folder, and that a second call goes on where the first broke off."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from service.imaging.geometry import U8
from service.imaging.overlay import draw
from tests.support.red import FakeBackend, red_frame, write_red_package
from tests.support.video_api import dice, ffprobe, read_indexed, red_in
from tests.support.videos import damaged, frame_at, write_video
from training.__main__ import app
from training.errors import InputError
from training.models import OpenModel, open_model
from training.predict.film import Animation
from training.predict.run import Job, Request, predict
from training.predict.source import PictureSource, group_of, open_source


@pytest.fixture
def model(tmp_path: Path) -> OpenModel:
    return open_model(write_red_package(tmp_path / "models").folder, device="cpu")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4")


def job_of(tmp_path: Path, model: OpenModel, source: Path, **request: object) -> Job:
    wanted = Request(**request)  # type: ignore[arg-type]
    opened = open_source(source, wanted.frame_step, wanted.max_frames)
    return Job(model, tmp_path / "models" / "red" / "1", opened, source, tmp_path / "out", wanted)


def run(job: Job) -> list[int]:
    """Predicts; the numbers that the progress bar was given."""
    steps: list[int] = []
    predict(job, steps.append)
    return steps


def masks(out: Path) -> dict[str, U8]:
    return {path.stem: read_indexed(path.read_bytes()) for path in sorted((out / "masks").glob("*.png"))}


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def write_pictures(folder: Path, names: list[str], size: tuple[int, int] = (60, 80)) -> Path:
    folder.mkdir()
    for place, name in enumerate(names):
        picture = red_frame(*size, box=(5 + 3 * place, 10, 30, 20))
        cv2.imwrite(str(folder / name), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return folder


def test_a_video_gives_a_mask_and_a_row_for_every_chosen_frame(tmp_path: Path, model: OpenModel, video: Path) -> None:
    assert run(job_of(tmp_path, model, video, frame_step=4)) == [1, 2, 3]
    found = masks(tmp_path / "out")
    assert list(found) == ["00000000", "00000004", "00000008"]
    assert all(dice(found[name], red_in(frame_at(int(name)))) > 0.9 for name in found)
    table = rows(tmp_path / "out")
    assert [(row["index"], row["time_s"], row["detected"]) for row in table] == [
        ("0", "0.0", "true"),
        ("4", "0.16", "true"),
        ("8", "0.32", "true"),
    ]
    assert float(table[0]["tool_coverage"]) == pytest.approx((found["00000000"] == 1).mean(), abs=1e-6)
    assert table[0]["temporal_iou"] == ""
    assert 0.5 < float(table[1]["temporal_iou"]) < 1


def test_the_film_shows_the_chosen_frames_at_their_times(tmp_path: Path, model: OpenModel, video: Path) -> None:
    run(job_of(tmp_path, model, video, frame_step=3))
    film = ffprobe(tmp_path / "out" / "annotated.mp4")
    assert (film["codec_name"], film["pix_fmt"], film["width"], film["height"]) == ("h264", "yuv420p", 128, 96)
    assert film["times"] == pytest.approx([0, 0.12, 0.24, 0.36], abs=1e-3)
    assert film["color_space"] == "bt709"


def test_the_film_keeps_the_colours_of_the_overlay(tmp_path: Path, model: OpenModel, video: Path) -> None:
    import av

    run(job_of(tmp_path, model, video, max_frames=1))
    with av.open(str(tmp_path / "out" / "annotated.mp4")) as container:
        shown = next(container.decode(video=0)).to_ndarray(format="rgb24", src_colorspace="ITU709").astype(int)
    labels = read_indexed((tmp_path / "out" / "masks" / "00000000.png").read_bytes())
    wanted = draw(frame_at(0), labels, [entry.rgb for entry in model.classes], 0.4).astype(int)
    assert np.abs(shown - wanted)[5:15].mean() < 4
    assert np.abs(shown - wanted).mean() < 8


def test_masks_classes_and_palette_have_the_form_of_the_services_archive(
    tmp_path: Path, model: OpenModel, video: Path
) -> None:
    run(job_of(tmp_path, model, video, max_frames=1))
    classes = json.loads((tmp_path / "out" / "classes.json").read_text())
    assert [entry["name"] for entry in classes] == ["background", "tool"]
    with Image.open(tmp_path / "out" / "masks" / "00000000.png") as picture:
        palette = picture.getpalette()
    assert palette is not None
    assert tuple(palette[3:6]) == model.classes[1].rgb


def test_a_second_call_predicts_only_what_has_no_mask(tmp_path: Path, model: OpenModel, video: Path) -> None:
    run(job_of(tmp_path, model, video))
    complete = (tmp_path / "out" / "predictions.jsonl").read_text()
    (tmp_path / "out" / "predict.json").unlink()
    (tmp_path / "out" / "masks" / "00000011.png").unlink()
    (tmp_path / "out" / "predictions.jsonl").write_text(complete[:-40])  # cut off inside the last row

    counting = FakeBackend()
    again = OpenModel(model.label, model.classes, model.spec, model.threshold, counting, lambda: model.preset)
    run(job_of(tmp_path, again, video))
    assert counting.batch_sizes == [1]
    assert (tmp_path / "out" / "predictions.jsonl").read_text() == complete
    assert len(masks(tmp_path / "out")) == 12


def test_a_finished_call_is_not_done_again(tmp_path: Path, model: OpenModel, video: Path) -> None:
    run(job_of(tmp_path, model, video, annotated=False))
    written = (tmp_path / "out" / "predictions.csv").stat().st_mtime_ns
    assert run(job_of(tmp_path, model, video, annotated=False)) == [12]
    assert (tmp_path / "out" / "predictions.csv").stat().st_mtime_ns == written


def test_more_frames_later_go_on_after_the_first(tmp_path: Path, model: OpenModel, video: Path) -> None:
    run(job_of(tmp_path, model, video, max_frames=3, annotated=False))
    assert run(job_of(tmp_path, model, video, max_frames=5, annotated=False)) == [4, 5]
    assert float(rows(tmp_path / "out")[3]["temporal_iou"]) > 0.5


def test_another_frame_step_is_refused_with_the_next_step(tmp_path: Path, model: OpenModel, video: Path) -> None:
    run(job_of(tmp_path, model, video, frame_step=4))
    with pytest.raises(InputError, match=r"was made with frame_step 4, not 3; take the same again, choose another"):
        run(job_of(tmp_path, model, video, frame_step=3))


def test_another_model_under_the_same_name_is_refused(tmp_path: Path, model: OpenModel, video: Path) -> None:
    run(job_of(tmp_path, model, video, max_frames=1))
    manifest = tmp_path / "models" / "red" / "1" / "manifest.json"
    manifest.write_text(manifest.read_text() + "\n")
    with pytest.raises(InputError, match="model_sha256"):
        run(job_of(tmp_path, model, video, max_frames=1))


def test_damaged_frames_are_left_out_and_counted(tmp_path: Path, model: OpenModel) -> None:
    run(job_of(tmp_path, model, damaged(tmp_path / "bad.mp4"), annotated=False))
    summary = json.loads((tmp_path / "out" / "predict.json").read_text())
    assert summary["damaged"] > 0
    assert summary["frames"] + summary["damaged"] == 50


def test_a_folder_of_pictures_is_read_in_order_and_grouped_by_name(tmp_path: Path, model: OpenModel) -> None:
    pictures = write_pictures(tmp_path / "in", ["b_02.png", "a_01.jpg", "a_02.png", "note.png"])
    (pictures / "note.png").write_text("no picture")
    run(job_of(tmp_path, model, pictures))
    table = rows(tmp_path / "out")
    assert [(row["name"], row["group"], row["time_s"]) for row in table] == [
        ("a_01", "a", ""),
        ("a_02", "a", ""),
        ("b_02", "b", ""),
    ]
    assert [row["temporal_iou"] != "" for row in table] == [False, True, False]
    assert json.loads((tmp_path / "out" / "predict.json").read_text())["damaged"] == ["note"]
    assert ffprobe(tmp_path / "out" / "annotated.mp4")["times"] == pytest.approx([0, 0.2, 0.4], abs=1e-3)


def test_pictures_of_other_and_odd_sizes_fit_into_one_film(tmp_path: Path, model: OpenModel) -> None:
    pictures = write_pictures(tmp_path / "in", ["a.png"], size=(61, 81))
    cv2.imwrite(str(pictures / "b.png"), np.zeros((40, 100, 3), np.uint8))
    run(job_of(tmp_path, model, pictures))
    film = ffprobe(tmp_path / "out" / "annotated.mp4")
    assert (film["width"], film["height"], len(film["times"])) == (82, 62, 2)


def test_one_picture_gives_an_annotated_picture(tmp_path: Path, model: OpenModel) -> None:
    pictures = write_pictures(tmp_path / "in", ["one.png"])
    run(job_of(tmp_path, model, pictures / "one.png"))
    shown = cv2.imread(str(tmp_path / "out" / "annotated.jpg"))
    assert shown is not None
    assert shown.shape == (60, 80, 3)
    assert not (tmp_path / "out" / "annotated.mp4").exists()


def test_an_empty_folder_and_a_missing_file_are_said_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no picture"):
        open_source(tmp_path / "empty")
    with pytest.raises(InputError, match="is not there; give a video"):
        open_source(tmp_path / "missing.mp4")


def test_pictures_that_differ_in_the_suffix_only_are_refused(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "in", ["a.png", "a.jpg"])
    with pytest.raises(InputError, match="differ in their suffix only"):
        open_source(pictures)


@pytest.mark.parametrize(
    ("name", "group"), [("v01_002075", "v01"), ("frame12", "frame"), ("case-3 0001", "case-3"), ("0001", "0001")]
)
def test_the_last_number_of_a_name_counts_the_frames_of_its_group(name: str, group: str) -> None:
    assert group_of(name) == group


def test_frames_far_apart_are_reached_by_jumps_and_are_the_same(tmp_path: Path) -> None:
    every_frame_key = write_video(tmp_path / "keys.avi", "mjpeg", "yuvj420p", frames=30)
    source = open_source(every_frame_key, step=7)
    jumped = {frame.index: frame.image for frame in source.frames()}
    streamed = {frame.index: frame.image for frame in open_source(every_frame_key).frames() if frame.index % 7 == 0}
    assert list(jumped) == [0, 7, 14, 21, 28]
    assert all((jumped[k] == streamed[k]).all() for k in jumped)


def test_the_gif_is_small_and_bounded(tmp_path: Path) -> None:
    paths = [tmp_path / f"{k:04d}.png" for k in range(3 * Animation.MOST_FRAMES)]
    animation = Animation(tmp_path / "preview.gif", PictureSource(tmp_path, paths), width=24, frames_per_second=10)
    for k in range(len(paths)):
        animation.add(red_frame(30, 40, (k % 20, 5, 8, 8)), None)
    animation.close()
    with Image.open(tmp_path / "preview.gif") as gif:
        assert gif.n_frames == Animation.MOST_FRAMES  # type: ignore[attr-defined]
        assert gif.size == (24, 18)
        assert gif.info["duration"] == 100


def test_the_gif_of_a_video_runs_in_real_time(tmp_path: Path, model: OpenModel, video: Path) -> None:
    run(job_of(tmp_path, model, video, frame_step=2, annotated=False, gif=True, gif_frames_per_second=6))
    with Image.open(tmp_path / "out" / "preview.gif") as gif:
        assert gif.n_frames == 3  # type: ignore[attr-defined]
        assert gif.info["duration"] == 160


def test_the_command_says_what_it_found(tmp_path: Path, model: OpenModel, video: Path) -> None:
    arguments = ["predict", str(tmp_path / "models" / "red" / "1"), str(video), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*arguments, "--max-frames", "2", "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert "2 frames, 100.0% with a detection, mean coverage 11." in result.output


def test_the_help_ends_with_an_example() -> None:
    for command in ("predict", "analyse", "shift", "pseudo-label"):
        assert f"python -m training {command}" in CliRunner().invoke(app, [command, "--help"]).output
