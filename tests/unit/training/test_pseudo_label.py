"""`pseudo-label`: what doubt is made of, what is accepted, and what a person gets to correct."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from service.backends import Backend
from service.imaging.geometry import U8, decide
from tests.support.red import FakeBackend, red_frame, write_red_package
from tests.support.videos import write_video
from training.__main__ import app
from training.datasets.exchange import coco, cvat
from training.datasets.exchange.own import Own
from training.datasets.reading import Dataset
from training.errors import InputError
from training.models import OpenModel, open_model
from training.predict.source import open_source
from training.pseudo_label.calibration import Checked, foreground_dice, summarise
from training.pseudo_label.choice import Rules, choose, read_ids
from training.pseudo_label.criteria import Criteria, Limits, disagreement, judge, without_specks
from training.pseudo_label.labelling import Judged
from training.pseudo_label.run import Job, pseudo_label
from training.pseudo_label.views import Views, look


class RightHalfBlind(FakeBackend):
    """Finds red on the left only, so that the mirrored view disagrees."""

    def run(self, frames: U8) -> U8:
        found = super().run(frames)
        found[..., found.shape[-1] // 2 :] = 0
        return found


class Greyish(FakeBackend):
    """Red of a brighter blue is only half a tool."""

    def run(self, frames: U8) -> U8:
        found = super().run(frames)
        found[(found > 0) & (frames[..., 2][:, None] > 40)] = 140
        return found


def views_of(foreground: U8) -> Views:
    planes = foreground[np.newaxis]
    return Views(planes, planes, planes)


def criteria_of(foreground: U8) -> Criteria:
    return judge(views_of(foreground), decide(foreground[np.newaxis], 0.5), 0.5)


def certain_box() -> U8:
    foreground = np.zeros((100, 100), np.uint8)
    foreground[20:60, 20:70] = 255
    return foreground


def judged(name: str, uncertain: float, coverage: float = 0.1) -> Judged:
    return Judged(name, name, "g", 0, None, Path("x.png"), coverage, 0.9, Criteria(uncertain, 0.0, 0.0))


def model_with(tmp_path: Path, backend: Backend) -> OpenModel:
    opened = open_model(write_red_package(tmp_path / "models").folder, device="cpu")
    return OpenModel("red/1", opened.classes, opened.spec, opened.threshold, backend, opened.find_preset)


def write_frames(folder: Path) -> Path:
    """Three sure frames of two series, and one half-seen; one without a tool."""
    folder.mkdir()
    blue = {"a_01": 20, "a_02": 20, "b_01": 20, "b_02": 60}
    for place, (name, value) in enumerate(blue.items()):
        picture = red_frame(96, 128, box=(20 + 4 * place, 30, 50, 40))
        picture[(picture[..., 0] == 230)] = (230, 20, value)
        cv2.imwrite(str(folder / f"{name}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    cv2.imwrite(str(folder / "b_03.png"), cv2.cvtColor(red_frame(96, 128, (0, 0, 0, 0)), cv2.COLOR_RGB2BGR))
    return folder


def job_of(tmp_path: Path, backend: Backend) -> Job:
    frames = tmp_path / "frames"
    source = open_source(frames if frames.exists() else write_frames(frames))
    return Job(model_with(tmp_path, backend), tmp_path / "models" / "red" / "1", source, 1, tmp_path / "data" / "new")


def table_of(root: Path) -> list[dict[str, str]]:
    with (root / "doubt.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_certain_mask_has_no_doubt() -> None:
    assert criteria_of(certain_box()) == Criteria(0, 0, 0)


def test_uncertain_pixels_count_against_the_pixels_that_may_be_foreground() -> None:
    foreground = certain_box()
    foreground[20:60, 70:80] = 128
    found = criteria_of(foreground)
    assert found.uncertain == pytest.approx(400 / 2400, abs=1e-6)
    assert found.unsure == pytest.approx((400 * 127 / 255) / 2400, abs=1e-6)


def test_an_empty_mask_is_as_doubtful_as_its_most_probable_spot() -> None:
    foreground = np.zeros((100, 100), np.uint8)
    assert criteria_of(foreground).unsure == 0
    foreground[40:50, 40:50] = 110
    assert criteria_of(foreground).unsure == pytest.approx(110 / 255, abs=1e-6)
    assert criteria_of(foreground).uncertain == 1


def test_with_several_classes_the_confidence_is_that_of_the_chosen_class() -> None:
    probabilities = np.zeros((3, 10, 10), np.uint8)
    probabilities[0] = 255
    probabilities[:, 2:6, 2:6] = np.array([15, 40, 200], np.uint8)[:, None, None]
    found = judge(Views(*[probabilities] * 3), decide(probabilities, 0.5), 0.5)
    assert found.unsure == pytest.approx(1 - 200 / 255, abs=1e-6)
    assert found.uncertain == 0


def test_two_empty_masks_agree_and_disagreement_is_one_minus_iou() -> None:
    empty, a, b = (np.zeros((4, 4), np.uint8) for _ in range(3))
    a[0, :2] = 1
    b[0, 1:3] = 1
    assert disagreement(empty, empty) == 0
    assert disagreement(a, b) == pytest.approx(1 - 1 / 3)
    assert disagreement(a, empty) == 1


def test_views_are_laid_back_on_the_frame(tmp_path: Path) -> None:
    image = red_frame(96, 128, box=(10, 20, 60, 40))
    views = look(model_with(tmp_path, FakeBackend()), image)
    truth = (image[..., 0] == 230).astype(np.uint8)
    for planes in (views.plain, views.mirrored, views.shrunk):
        assert disagreement(truth, decide(planes, 0.5)) < 0.08


def test_a_model_that_sees_one_side_only_is_inconsistent(tmp_path: Path) -> None:
    views = look(model_with(tmp_path, RightHalfBlind()), red_frame(96, 128, box=(70, 20, 50, 40)))
    assert judge(views, decide(views.mean, 0.5), 0.5).inconsistent == 1


def test_specks_are_removed_and_parts_stay() -> None:
    labels = np.zeros((200, 200), np.uint8)
    labels[50:100, 50:100] = 1
    labels[100:120, 50:100] = 2
    labels[5:8, 5:8] = 1
    cleaned = without_specks(labels)
    assert cleaned[5:8, 5:8].sum() == 0
    assert (cleaned[50:120, 50:100] == labels[50:120, 50:100]).all()


def test_doubt_is_the_worst_criterion_in_units_of_its_limit() -> None:
    limits = Limits(uncertain=0.2, unsure=0.1, inconsistent=0.1, jumpy=0.5)
    found = Criteria(0.1, 0.08, 0.02, 0.25)
    assert found.doubt(limits) == pytest.approx(0.8)
    assert found.worst(limits) == "unsure"
    assert found.doubt(limits.scaled(2)) == pytest.approx(0.4)


def test_frames_beyond_the_limit_are_named_and_the_rest_is_kept_least_doubtful_first() -> None:
    frames = [judged(name, doubt * 0.2) for name, doubt in (("a", 0.5), ("b", 1.5), ("c", 0.1), ("d", 0.9))]
    verdicts = choose(frames, Rules(Limits(), keep=0.5))
    assert [(v.frame.id, v.reason) for v in verdicts] == [
        ("b", "uncertain"),
        ("d", "over the share to keep"),
        ("a", ""),
        ("c", ""),
    ]


def test_a_frame_in_which_nothing_was_found_is_accepted_only_when_asked_for() -> None:
    frames = [judged("a", 0.0, coverage=0.0)]
    assert choose(frames, Rules(keep=1))[0].reason == "nothing found"
    assert choose(frames, Rules(keep=1, empty=True))[0].accepted


def test_a_persons_list_decides_alone(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# looked at\nb\n\n c  # fine\n")
    frames = [judged("a", 0.0), judged("b", 0.9), judged("c", 0.0, coverage=0)]
    verdicts = choose(frames, Rules(), read_ids(tmp_path / "list.txt"))
    assert {v.frame.id: v.reason for v in verdicts} == {"a": "not on the list", "b": "", "c": ""}


def test_a_list_with_an_unknown_id_is_refused() -> None:
    with pytest.raises(InputError, match="the list accepts zz, which is not among the 1 frames"):
        choose([judged("a", 0.0)], Rules(), {"a", "zz"})


def test_accepted_frames_become_the_training_split_of_a_data_set(tmp_path: Path) -> None:
    summary = pseudo_label(job_of(tmp_path, Greyish()), Rules(keep=1), None, lambda _: None)
    root = tmp_path / "data" / "new"
    dataset = Dataset(root)
    assert sorted(sample.id for sample in dataset.split("train")) == ["a_01", "a_02", "b_01"]
    assert {sample.group for sample in dataset.split("train")} == {"a", "b"}
    truth = (dataset.image(dataset.split("train")[0])[..., 0] == 230).astype(np.uint8)
    assert disagreement(dataset.mask(dataset.split("train")[0]), truth) < 0.06
    assert summary["rejected"] == {"nothing found": 1, "uncertain": 1}
    assert table_of(root)[0]["id"] == "b_02"
    assert table_of(root)[0]["reason"] == "uncertain"


def test_the_review_holds_every_frame_by_rank_for_cvat_and_coco(tmp_path: Path) -> None:
    pseudo_label(job_of(tmp_path, Greyish()), Rules(keep=1), None, lambda _: None)
    review = tmp_path / "data" / "new" / "review"
    dataset = Dataset(review)
    assert dataset.split("review")[0].id == "1_b_02"
    assert len(dataset.split("review")) == 5
    for reader, name in ((cvat.read, "cvat.xml"), (coco.read, "coco.json")):
        frames = list(reader(review / name, Own("back", "none")).frames)
        assert [frame.id for frame in frames] == [sample.id for sample in dataset.split("review")]
        for frame, sample in zip(frames, dataset.split("review"), strict=True):
            assert (frame.load_mask() == dataset.mask(sample)).all()


def test_another_list_needs_no_model_run(tmp_path: Path) -> None:
    pseudo_label(job_of(tmp_path, Greyish()), Rules(keep=1), None, lambda _: None)
    counting = Greyish()
    pseudo_label(job_of(tmp_path, counting), Rules(), {"b_02"}, lambda _: None)
    assert counting.batch_sizes == []
    assert [sample.id for sample in Dataset(tmp_path / "data" / "new").split("train")] == ["b_02"]


def test_when_nothing_is_accepted_the_review_is_there_and_the_next_step_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no frame of frames was accepted .* accept frames with --accept or raise"):
        pseudo_label(job_of(tmp_path, Greyish()), Rules(keep=0), None, lambda _: None)
    assert len(Dataset(tmp_path / "data" / "new" / "review").split("all")) == 5


def test_sheets_show_accepted_rejected_and_all_frames(tmp_path: Path) -> None:
    pseudo_label(job_of(tmp_path, Greyish()), Rules(keep=1), None, lambda _: None)
    sheets = tmp_path / "data" / "new" / "sheets"
    names = ["accepted-least-doubtful", "accepted-most-doubtful", "all-001", "rejected"]
    assert sorted(path.stem for path in sheets.iterdir()) == names
    with Image.open(sheets / "all-001.png") as picture:
        assert picture.width > 1600


def test_frames_of_a_video_are_kept_and_compared_with_their_neighbours(tmp_path: Path) -> None:
    package = write_red_package(tmp_path / "models").folder
    video = write_video(tmp_path / "clip.mp4")
    arguments = ["pseudo-label", str(package), str(video), "--name", "clip", "--data", str(tmp_path / "data")]
    result = CliRunner().invoke(app, [*arguments, "--frame-step", "4", "--keep", "1", "--device", "cpu"])
    assert result.exit_code == 0, result.output
    root = tmp_path / "data" / "clip"
    assert "3 of 3 frames accepted" in result.output
    assert Dataset(root).split("train")[0].id.startswith("clip_0000")
    jumps = [float(row["jumpy"]) for row in table_of(root)]
    assert all(0.1 < jump < 0.5 for jump in jumps)
    assert json.loads((root / "pseudo_label.json").read_text())["accepted_by"] == "the limits"


def test_dice_counts_only_pixels_of_the_right_class() -> None:
    truth = np.array([[0, 1, 1, 2]], np.uint8)
    assert foreground_dice(np.array([[0, 1, 2, 2]], np.uint8), truth) == pytest.approx(2 * 2 / 6)
    assert foreground_dice(np.zeros((1, 4), np.uint8), np.zeros((1, 4), np.uint8)) == 1


def test_calibration_tells_accepted_from_rejected_frames() -> None:
    frames = [Checked("a", 0.5, 0.9, True), Checked("b", 2.0, 0.3, True), Checked("c", 0.1, 0.0, False)]
    found = summarise(frames)
    assert found["accepted"] == {"frames": 1, "mean_dice": 0.9, "lowest_dice": 0.9}
    assert found["rejected"] == {"frames": 2, "mean_dice": 0.15, "lowest_dice": 0.0}
    assert summarise([])["all"]["mean_dice"] is None
