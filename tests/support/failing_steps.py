"""A step that fails as often as a test says, and an event that waits for nothing."""

from threading import Event


class Impatient(Event):
    """Notes how long it was asked to wait, and waits for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return self.is_set()


class Step:
    """Fails with each of these errors in turn, then gives 7."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return 7
