"""docs/operations.md speaks of settings, files, metrics and places that exist."""

import re
from pathlib import Path

import yaml

from service.settings import Settings
from service.video.jobs.heartbeat import CHECK_SECONDS, LEASE_SECONDS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/operations.md").read_text()
CLUSTER = (ROOT / "deploy/cluster.yml").read_text()


def test_every_setting_that_it_names_exists() -> None:
    named = set(re.findall(r"\bENDOMASK_([A-Z_]+)\b", PAGE))
    of_the_cluster = {"PRIVATE_ADDRESS"}
    assert named - of_the_cluster <= {name.upper() for name in Settings.model_fields}
    assert all(f"ENDOMASK_{name}:" in CLUSTER for name in of_the_cluster)


def test_the_environment_that_the_cluster_requires_is_listed() -> None:
    required = set(re.findall(r"\$\{([A-Z_]+):\?", CLUSTER))
    listed = set(re.findall(r"^([A-Z_]+)=", PAGE, re.MULTILINE))
    assert listed == required


def test_every_file_that_it_names_is_there() -> None:
    for path in re.findall(r"\b(?:deploy|tests|service)/[\w/.]+\.\w+", PAGE):
        assert (ROOT / path).is_file(), path


def test_every_profile_that_it_starts_is_in_the_compose_file() -> None:
    started = set(re.findall(r"--profile (\w+)", PAGE))
    services = yaml.safe_load(CLUSTER)["services"]
    assert started == {profile for container in services.values() for profile in container["profiles"]}


def test_every_metric_that_it_names_is_documented() -> None:
    documented = (ROOT / "docs/metrics.md").read_text()
    for name in re.findall(r"`(endomask_[a-z_]+)`", PAGE):
        assert f"`{name}`" in documented, name


def test_the_times_of_a_take_over_are_those_of_the_code() -> None:
    assert f"{LEASE_SECONDS:g} s + at most {CHECK_SECONDS:g} s" in PAGE
