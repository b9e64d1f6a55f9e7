"""deploy/cluster.yml holds together: pinned images, no secret in it, settings that exist, every server scraped."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import Settings
from tests.support.compose import complaint

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
REQUIRED = re.compile(r"\$\{[A-Z_]+:\?.+\}")


def services() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "cluster.yml").read_text())["services"])


def test_every_image_is_pinned_to_a_version() -> None:
    for name, container in services().items():
        image = re.sub(r"^\$\{[A-Z_]+:-(.+)\}$", r"\1", container["image"])
        assert re.search(r":v?\d+\.\d+\.\d+(-[a-z]+)?$|:\d+\.\d+-[a-z]+$", image), f"{name}: {image}"


def test_no_secret_is_written_down() -> None:
    for name, container in services().items():
        for variable, value in container.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|KEY|DATABASE_URL", variable):
                assert REQUIRED.fullmatch(value), f"{name} sets {variable} to a fixed value"


def test_only_settings_that_exist_are_set_and_servers_and_workers_have_the_same() -> None:
    parts = services()
    assert parts["api"]["environment"] == parts["worker"]["environment"]
    names = {name.removeprefix("ENDOMASK_").lower() for name in parts["api"]["environment"] if "ENDOMASK_" in name}
    assert names >= {"database_url", "storage_url", "workers", "max_running_videos"}
    assert not names - Settings.model_fields.keys()


def test_each_machine_has_its_part() -> None:
    parts = services()
    profiles = {name: container["profiles"] for name, container in parts.items()}
    assert profiles == {
        "database": ["database"],
        "api": ["api"],
        "proxy": ["api"],
        "prometheus": ["api"],
        "worker": ["worker"],
    }
    assert parts["api"]["deploy"]["replicas"] == 2
    assert parts["worker"]["command"] == ["worker"]
    assert "ports" not in parts["api"], "the proxy alone is reached from outside"


def test_the_database_is_checked_and_its_data_stays() -> None:
    database = services()["database"]
    assert "pg_isready" in database["healthcheck"]["test"]
    assert database["volumes"] == ["database:/var/lib/postgresql/data"]


def test_prometheus_finds_every_server_by_the_name_that_the_proxy_uses() -> None:
    jobs = yaml.safe_load((DEPLOY / "cluster/prometheus.yml").read_text())["scrape_configs"]
    (discovery,) = jobs[0]["dns_sd_configs"]
    (name,) = discovery["names"]
    assert name in services()
    assert jobs[0]["job_name"] == "endomask", "the alerts ask for this job"
    proxy = (DEPLOY / "cluster/nginx.conf").read_text()
    assert set(re.findall(r"server (\S+) resolve", proxy)) == {f"{name}:{discovery['port']}"}


def test_the_servers_share_the_folder_of_uploads_on_their_way() -> None:
    """Or else what a killed server held would have to be sent anew; tests/e2e/test_videos_behind_proxy.py kills one."""
    assert services()["api"]["volumes"] == ["uploads:/data"]


def test_docker_compose_accepts_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(re.findall(r"\$\{([A-Z_]+):\?", (DEPLOY / "cluster.yml").read_text())):
        monkeypatch.setenv(name, "127.0.0.1")
    profiles = [word for name in ("database", "api", "worker") for word in ("--profile", name)]
    assert complaint(DEPLOY / "cluster.yml", *profiles) == ""


def test_the_proxy_lets_uploads_through_and_keeps_resumable_ones_on_one_server() -> None:
    proxy = (DEPLOY / "cluster/nginx.conf").read_text()
    assert "client_max_body_size 0;" in proxy
    assert "proxy_request_buffering off;" in proxy
    assert re.search(r"upstream uploads \{[^}]*ip_hash;", proxy)
    assert "location /v1/uploads { proxy_pass http://uploads; }" in proxy


def test_every_file_that_a_container_mounts_is_there() -> None:
    for container in services().values():
        for volume in container.get("volumes", []):
            if volume.startswith("./"):
                assert (DEPLOY / volume.split(":")[0]).is_file(), volume


def test_prometheus_accepts_the_cluster_s_configuration(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    for source in ("cluster/prometheus.yml", "prometheus/alerts.yml"):
        shutil.copy(DEPLOY / source, tmp_path)
    command = ["promtool", "check", "config", str(tmp_path / "prometheus.yml")]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
