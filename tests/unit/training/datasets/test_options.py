"""Options of readers: text of the command line -> typed keyword arguments."""

from pathlib import Path
from typing import Literal

import pytest

from tests.support.published.pictures import flat, halves, write_picture
from training.datasets.names import SourceName
from training.datasets.options import Count, needs_source, option_names, parse_options, parse_pairs
from training.datasets.published.carve import carve
from training.datasets.published.masks import binarise, decode_grey, to_ids
from training.datasets.readers import READERS, open_source
from training.datasets.source import SourceDataset
from training.errors import DatasetError


def _reader(source: Path, step: Count = 1, kind: Literal["a", "b"] = "a", share: float = 0.5) -> SourceDataset:
    raise AssertionError((source, step, kind, share))


def test_texts_become_the_types_that_the_reader_declares() -> None:
    typed = parse_options(_reader, {"step": "3", "kind": "b", "share": "0.25"})
    assert typed == {"step": 3, "kind": "b", "share": 0.25}


def test_pairs_are_cut_at_the_first_equals_sign() -> None:
    assert parse_pairs(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}


@pytest.mark.parametrize(("pairs", "said"), [(["a"], "'a' is not of the form"), (["a=1", "a=2"], "a is given twice")])
def test_a_pair_that_says_nothing_or_too_much_is_refused(pairs: list[str], said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        parse_pairs(pairs)


def test_an_unknown_option_is_refused_with_the_list() -> None:
    with pytest.raises(DatasetError, match=r"no option is called 'stride' here; there are: step, kind, share"):
        parse_options(_reader, {"stride": "3"})


@pytest.mark.parametrize(
    ("name", "text", "said"), [("step", "-1", "greater"), ("step", "x", "integer"), ("kind", "c", "'a' or 'b'")]
)
def test_a_value_that_does_not_fit_is_refused_by_name(name: str, text: str, said: str) -> None:
    with pytest.raises(DatasetError, match=rf"option {name}={text}: .*{said}"):
        parse_options(_reader, {name: text})


@pytest.mark.parametrize("name", list(READERS))
def test_every_option_of_every_reader_has_a_default_and_a_type_that_reads_text(name: str) -> None:
    for option in option_names(READERS[name]):
        with pytest.raises(DatasetError, match=f"option {option}="):
            parse_options(READERS[name], {option: "no such value"})
    assert needs_source(READERS[name]) == (name not in {"synthetic", "out-of-body"})


def test_every_reader_can_be_named_on_the_command_line() -> None:
    assert set(READERS) <= {name.value for name in SourceName}


def test_options_reach_the_reader() -> None:
    assert open_source("synthetic", None, train_frames="3", test_frames="0").splits["train"][-1] == "100002"


def test_a_reader_without_its_folder_asks_for_it(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"cholecseg8k needs --source"):
        open_source("cholecseg8k", None)
    with pytest.raises(DatasetError, match=r"cholecseg8k: --source .*absent does not exist"):
        open_source("cholecseg8k", tmp_path / "absent")


def test_the_same_seed_draws_the_same_groups_in_any_order() -> None:
    groups = [f"v{i}" for i in range(9)]
    rest, drawn = carve(groups, 3, seed=5)
    assert (rest, drawn) == carve(reversed(groups), 3, seed=5)
    assert sorted(rest + drawn) == groups
    assert drawn != carve(groups, 3, seed=6)[1]


def test_drawing_every_group_is_refused() -> None:
    with pytest.raises(DatasetError, match="3 groups cannot be taken out of 3"):
        carve(["a", "b", "c"], 3, seed=0)
    assert carve([], 0, seed=0) == ([], [])


def test_a_colour_picture_is_no_mask(tmp_path: Path) -> None:
    reddish = flat(9)
    reddish[5, 5] = (9, 9, 10)
    path = write_picture(tmp_path / "m.png", reddish)
    with pytest.raises(DatasetError, match=r"m\.png is a colour picture"):
        decode_grey(path.read_bytes(), "m.png")


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n and then nothing"])
def test_bytes_that_are_no_picture_are_named(data: bytes) -> None:
    with pytest.raises(DatasetError, match=r"m\.png is no readable picture"):
        decode_grey(data, "m.png")


def test_a_mask_of_zeros_and_ones_is_refused_and_not_read_as_empty() -> None:
    with pytest.raises(DatasetError, match=r"m\.png holds greys up to 1 only"):
        binarise(halves(0, 1), "m.png")
    assert binarise(halves(0, 0), "m.png").max() == 0
    assert binarise(halves(3, 250), "m.png").tolist() == halves(0, 1).tolist()


def test_a_value_without_meaning_is_named_with_its_file() -> None:
    with pytest.raises(DatasetError, match=r"m\.png holds the values \[7\]; expected \[0, 5\]"):
        to_ids(halves(5, 7), {0: 0, 5: 1}, "m.png")
