"""The `Server-Timing` header, as our service and others write it."""

from benchmarks.server_timing import around_graph, median_stages, parse
from service.pipeline import STAGES


def test_the_services_own_header_is_read() -> None:
    header = ", ".join(f"{stage};dur={index}.25" for index, stage in enumerate(STAGES))
    assert parse(header) == {stage: index + 0.25 for index, stage in enumerate(STAGES)}


def test_spaces_descriptions_and_quotes_are_read_as_the_standard_has_them() -> None:
    assert parse('cache;desc="a hit";dur=2.5 , db ; dur="53", app;DUR=1') == {"cache": 2.5, "db": 53.0, "app": 1.0}


def test_an_entry_without_a_duration_is_left_out() -> None:
    assert parse("missed, infer;dur=3") == {"infer": 3.0}


def test_no_header_is_no_stage() -> None:
    assert parse("") == {}


def test_stages_are_medians_over_the_answers_that_name_them() -> None:
    timings = [{"infer": 1.0, "decode": 4.0}, {"infer": 9.0}, {"infer": 2.0}]
    assert median_stages(timings) == {"infer": 2.0, "decode": 4.0}


def test_around_the_graph_is_what_is_left_of_each_answer_without_its_own_run() -> None:
    pairs = [(10.0, {"decode": 1.0, "infer": 7.0}), (30.0, {"decode": 2.0, "infer": 25.0}), (9.0, {})]
    assert around_graph(pairs) == {"client": 4.0, "server": 1.5}


def test_without_stages_nothing_is_said_of_the_graph() -> None:
    assert around_graph([(10.0, {})]) == {}
