"""Many frames may queue while their callers take turns; few once more come than can be answered."""

import pytest

from service.admission import BURST_FRAMES, Admission


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
        self.admission.asked()
        if len(self.inside) < self.admission.limit:
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
    assert house.admission.limit == 64


def test_at_ten_times_the_capacity_an_accepted_frame_stays_within_five_times_a_lone_ones_time() -> None:
    house = House()
    house.stream(frames_a_second=10 / house.seconds, for_seconds=40)
    held = sorted(house.held)
    assert held[int(0.99 * len(held))] <= 5 * house.seconds
    assert len(held) >= 0.95 * 40 / house.seconds, "the device never idled"
    assert house.refused >= 0.85 * 10 * 40 / house.seconds


def test_below_the_capacity_nothing_is_refused() -> None:
    house = House()
    house.stream(frames_a_second=0.9 / house.seconds, for_seconds=20)
    assert house.refused == 0


def test_the_house_opens_again_once_fewer_come() -> None:
    house = House()
    house.stream(frames_a_second=10 / house.seconds, for_seconds=3)
    assert house.admission.overloaded
    house.now += 1.1
    assert not house.admission.overloaded
    assert house.admission.limit == 64


def test_a_burst_is_no_overload() -> None:
    house = House(seconds=10.0)
    for _ in range(BURST_FRAMES):
        house.ask()
    assert not house.admission.overloaded
    house.ask()
    assert house.admission.overloaded


def test_a_lone_frame_replaces_the_guess_and_later_ones_move_it() -> None:
    house = House(most=1000, seconds=0.5)
    house.admission.answered(0.1, alone=True)
    house.admission.answered(0.2, alone=True)
    for _ in range(100):
        house.admission.asked()
        house.admission.answered(9.0, alone=False)
    for _ in range(300):
        house.admission.asked()
    assert house.admission.limit == pytest.approx(3.5 * 0.11 * 102, abs=1)


def test_without_any_notion_of_a_frames_time_the_setting_alone_counts() -> None:
    house = House(most=5, seconds=0.0)
    for _ in range(500):
        house.admission.asked()
    assert house.admission.limit == 5


@pytest.mark.parametrize(("most", "fewest"), [(1, 1), (64, 3)])
def test_the_limit_never_falls_so_low_that_the_device_waits_for_a_decoder(most: int, fewest: int) -> None:
    house = House(most=most, seconds=0.02)
    house.admission.answered(0.0001, alone=True)
    for _ in range(500):
        house.admission.asked()
    assert house.admission.limit == fewest
