"""Many frames may queue while their callers take turns; few once more come than can be answered."""

import pytest

from service.batching.admission import BESIDES, BURST_SECONDS, ONSET_SECONDS, PATIENCE, Admission


class House:
    """An admission in a time of its own: a device answers one frame after the other, `seconds` each."""

    def __init__(self, most: int = 64, seconds: float = 0.02) -> None:
        self.now = 100.0
        self.seconds = seconds
        self.admission = Admission(most, seconds, lambda: self.now)
        self.inside: list[float] = []
        self.held: list[float] = []
        self.refused = 0

    def ask(self) -> None:
        self.admission.asked(len(self.inside))
        while self.admission.overloaded and len(self.inside) > self.admission.limit(1):
            self.inside.pop()
            self.refused += 1
        if len(self.inside) < self.admission.limit(1):
            self.inside.append(self.now)
        else:
            self.refused += 1

    def answer(self) -> None:
        entered = self.inside.pop(0)
        self.held.append(self.now - entered)
        self.admission.answered(self.now - entered, alone=False)

    def stream(self, frames_a_second: float, for_seconds: float) -> None:
        """Frames at this pace, answered in turns."""
        begins, answered_at = self.now, self.now
        for number in range(int(frames_a_second * for_seconds)):
            now = begins + number / frames_a_second
            while self.inside and max(answered_at, self.inside[0]) + self.seconds <= now:
                answered_at = max(answered_at, self.inside[0]) + self.seconds
                self.now = answered_at
                self.answer()
            self.now = now
            self.ask()


def test_callers_that_take_turns_may_fill_the_house() -> None:
    house = House()
    for _ in range(16):
        house.ask()
    for _ in range(200):
        house.now += house.seconds
        house.answer()
        house.ask()
    assert house.refused == 0
    assert house.admission.limit(1) == 64


def test_at_ten_times_the_capacity_an_accepted_frame_stays_within_five_times_a_lone_ones_time() -> None:
    house = House()
    house.stream(frames_a_second=10 / house.seconds, for_seconds=20)
    held = sorted(house.held)
    assert held[int(0.99 * len(held))] <= 5 * house.seconds
    assert len(held) >= 0.95 * 20 / house.seconds, "the device never idled"
    assert house.refused >= 0.85 * 10 * 20 / house.seconds


def test_an_overload_out_of_a_full_load_is_noticed_as_soon_as_the_house_is_full() -> None:
    """The answers of the second before would hide it for a tenth of a second and more."""
    house = House(seconds=0.01)
    house.stream(frames_a_second=95, for_seconds=3)
    house.stream(frames_a_second=1000, for_seconds=0.09)
    assert house.admission.overloaded
    assert len(house.inside) <= PATIENCE


def test_a_slow_models_full_house_is_not_emptied_for_a_few_frames_in_a_row() -> None:
    """As many callers that wait for their answers as it holds, and now and then one more."""
    house = House(seconds=0.3)
    for _ in range(64):
        house.ask()
    house.now += 1
    for _ in range(20):
        for pauses in ([0.12, 0.07, 0.11], [0.12, 0.18]):
            house.answer()
            for pause in pauses[:-1]:
                house.now += pause
                house.ask()
            house.now += pauses[-1]
            assert not house.admission.overloaded


def test_a_burst_on_a_full_house_whose_callers_take_turns_is_refused_alone() -> None:
    house = House(seconds=0.025)
    for _ in range(64):
        house.ask()
    for number in range(120):
        house.now += house.seconds
        house.answer()
        house.ask()
        for _ in range(12 if number == 100 else number % 2 if number > 40 else 0):
            house.ask()
        assert not house.admission.overloaded
    assert len(house.inside) == 64


def test_when_an_overload_begins_the_speed_of_the_second_before_still_counts() -> None:
    """Or a device whose batches take longer than the beginning would be left with one frame."""
    house = House(seconds=0.01)
    house.stream(frames_a_second=95, for_seconds=3)
    house.stream(frames_a_second=1000, for_seconds=0.09)
    assert house.admission.overloaded
    rate = 95
    assert house.admission.limit(1) == int(PATIENCE * house.seconds * rate)
    house.now += ONSET_SECONDS
    assert house.admission.limit(1) == int(PATIENCE * house.seconds * rate)


def test_below_the_capacity_nothing_is_refused() -> None:
    house = House()
    house.stream(frames_a_second=0.9 / house.seconds, for_seconds=20)
    assert house.refused == 0


def test_a_house_that_is_empty_for_a_moment_is_not_filled_again_while_too_many_come() -> None:
    house = House()
    house.stream(frames_a_second=10 / house.seconds, for_seconds=3)
    while house.inside:
        house.answer()
    house.now += house.seconds / 10
    house.ask()
    assert house.admission.overloaded
    assert house.admission.limit(1) == int(PATIENCE)


def test_the_house_opens_again_once_fewer_come() -> None:
    house = House()
    house.stream(frames_a_second=10 / house.seconds, for_seconds=3)
    assert house.admission.overloaded
    while house.inside:
        house.now += house.seconds
        house.answer()
    house.now += 2 * BURST_SECONDS
    house.ask()
    assert not house.admission.overloaded
    assert house.admission.limit(1) == 64


def test_an_overload_ends_while_frames_still_come_once_they_are_answered_in_time() -> None:
    house = House()
    house.stream(frames_a_second=10 / house.seconds, for_seconds=3)
    refused = house.refused
    house.stream(frames_a_second=0.8 / house.seconds, for_seconds=3)
    assert not house.admission.overloaded
    house.stream(frames_a_second=0.8 / house.seconds, for_seconds=3)
    assert house.refused <= refused + 1 / house.seconds


def test_of_a_burst_after_a_quiet_time_only_what_the_house_can_not_hold_is_refused() -> None:
    house = House()
    for _ in range(house.admission.most + 1):
        house.ask()
    assert (house.refused, len(house.inside)) == (1, house.admission.most)


def test_a_burst_is_none_the_less_one_when_a_few_frames_came_before_it() -> None:
    house = House()
    house.stream(frames_a_second=5, for_seconds=3)
    for _ in range(house.admission.most + 1):
        house.ask()
    assert not house.admission.overloaded
    assert house.refused <= 2


def test_after_a_quiet_time_the_speed_is_that_of_the_time_since() -> None:
    house = House(most=64, seconds=0.02)
    house.stream(frames_a_second=10 / house.seconds, for_seconds=0.2)
    assert house.admission.overloaded
    assert house.admission.limit(1) == int(PATIENCE)


def test_without_an_answer_nothing_is_known_and_the_setting_alone_counts() -> None:
    house = House(seconds=10.0)
    house.stream(frames_a_second=500, for_seconds=1)
    assert len(house.inside) == 64


def test_a_full_house_whose_callers_take_turns_is_no_overload() -> None:
    house = House(seconds=0.02)
    for _ in range(64):
        house.ask()
    for _ in range(200):
        house.now += house.seconds
        house.answer()
        house.ask()
    assert house.refused == 0


def overloaded(house: House, answered: int) -> Admission:
    """A second in which so many are answered, evenly, and far more come."""
    begins = house.now
    for number in range(1000):
        house.now = begins + number / 1000
        if number * answered % 1000 < answered:
            house.admission.answered(9.0, alone=False)
        house.admission.asked(held=house.admission.most)
    return house.admission


def test_a_lone_frame_replaces_the_guess_and_later_ones_move_it() -> None:
    house = House(most=1000, seconds=0.5)
    house.admission.answered(0.1, alone=True)
    house.admission.answered(0.2, alone=True)
    assert overloaded(house, 98).limit(1) == int(PATIENCE * 0.11 * 100)


def test_without_any_notion_of_a_frames_time_the_setting_alone_counts() -> None:
    assert overloaded(House(most=5, seconds=0.0), 1).limit(1) == 5


@pytest.mark.parametrize(("most", "runs", "fewest"), [(1, 1, 1), (64, 1, 1 + BESIDES), (64, 4, 4 + BESIDES)])
def test_the_limit_never_falls_so_low_that_the_device_waits_for_a_decoder(most: int, runs: int, fewest: int) -> None:
    house = House(most=most)
    assert overloaded(house, 1).limit(runs) == fewest
