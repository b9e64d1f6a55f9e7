"""What a person sees: the annotated video and the report in Chromium."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support import videos
from tests.support.red import write_red_package
from tests.support.server import start_server
from tests.support.video_api import VideoApi

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
PHONE_PX = 390
DEADLINE_MS = 120_000

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium with H.264 is not installed (apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=DEADLINE_MS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.set_default_timeout(DEADLINE_MS)
    yield page
    page.close()


@pytest.fixture(scope="module")
def job_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a job that has succeeded."""
    folder = tmp_path_factory.mktemp("browser")
    write_red_package(folder / "models")
    given = {"ENDOMASK_MODELS_DIR": str(folder / "models"), "ENDOMASK_DEFAULT_MODEL": "red"}
    clip = videos.write_video(folder / "clip.mp4", frames=50)
    with start_server(folder, ENDOMASK_WORKERS="1", **given) as running, VideoApi(running.url) as api:
        job = api.wait(api.upload(clip))
        assert job["status"] == "succeeded"
        yield f"{running.url}/v1/videos/{job['id']}"


def test_the_annotated_video_plays_and_seeks(page: Page, job_url: str) -> None:
    page.goto(f"{job_url}/annotated.mp4")
    page.evaluate("const v = document.querySelector('video'); v.muted = true; v.loop = true; v.play()")
    page.wait_for_function("document.querySelector('video').currentTime > 0.2")
    found: dict[str, Any] = page.evaluate(
        "(() => { const v = document.querySelector('video'); "
        "return {width: v.videoWidth, height: v.videoHeight, duration: v.duration, error: v.error} })()"
    )
    assert found == {"width": 128, "height": 96, "duration": pytest.approx(2.0, abs=0.01), "error": None}
    page.evaluate("const w = document.querySelector('video'); w.pause(); w.currentTime = 1.5")
    page.wait_for_function("!document.querySelector('video').seeking")
    assert page.evaluate("document.querySelector('video').currentTime") == pytest.approx(1.5)


def test_the_report_is_drawn_and_loads_nothing_else(page: Page, job_url: str) -> None:
    asked: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(f"{job_url}/report.html")
    assert [url for url in asked if not url.startswith("data:")] == [f"{job_url}/report.html"]
    page.set_viewport_size({"width": PHONE_PX, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE_PX, "a phone need not scroll sideways"
    assert not problems
    figures = page.evaluate("[...document.querySelectorAll('svg')].map(f => f.getBoundingClientRect().width)")
    pictures = page.evaluate("[...document.querySelectorAll('img')].map(i => i.naturalWidth)")
    assert len(figures) == 3
    assert min(figures) > 200
    assert len(pictures) == 6
    assert min(pictures) > 0
