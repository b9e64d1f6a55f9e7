"""What is under deploy/ and in the container files holds together and speaks of metrics that exist."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import Settings
from tests.support.compose import complaint

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DASHBOARD = DEPLOY / "grafana/dashboards/endomask.json"
RULES = DEPLOY / "prometheus/alerts.yml"
SUFFIXES = ("_bucket", "_sum", "_count")


def metric_names(text: str) -> set[str]:
    """Metric families that expressions speak of: a histogram's series count as the histogram."""
    names = set(re.findall(r"\bendomask_[a-z_]+\b", text))
    return {next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name) for name in names}


def dashboard_expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=120, check=False)


def test_every_metric_of_the_dashboard_and_the_alerts_is_documented() -> None:
    documented = metric_names((ROOT / "docs/metrics.md").read_text())
    rules = [rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    used = metric_names("\n".join([*dashboard_expressions(), *rules]))
    assert len(used) > 10
    assert not used - documented, "docs/metrics.md does not name these metrics"


def test_prometheus_accepts_its_configuration_and_the_alert_rules() -> None:
    checked = promtool("check", "config", str(DEPLOY / "prometheus/prometheus.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_alert_fires_when_it_should_and_only_then() -> None:
    tested = promtool("test", "rules", str(DEPLOY / "prometheus/alerts_test.yml"))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_has_a_test_a_summary_and_an_action() -> None:
    tested = (DEPLOY / "prometheus/alerts_test.yml").read_text()
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            assert f"alertname: {rule['alert']}\n" in tested
            assert rule["annotations"].keys() >= {"summary", "action"}


def test_the_dashboards_panels_ask_the_provisioned_data_source() -> None:
    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert {panel["datasource"]["uid"] for panel in panels if panel["type"] != "row"} == {sources[0]["uid"]}
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.parametrize("expression", dashboard_expressions())
def test_prometheus_can_parse_each_of_the_dashboards_expressions(expression: str, tmp_path: Path) -> None:
    plain = expression.replace("$__rate_interval", "1m").replace("$instance", ".*").replace("$model", ".*")
    rules = tmp_path / "rules.yml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "panel", "rules": [{"record": "panel", "expr": plain}]}]}))
    checked = promtool("check", "rules", str(rules))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_compose_file_runs_server_and_worker_apart_on_one_data_folder() -> None:
    services = compose()["services"]
    for server, worker in (("service", "worker"), ("service-gpu", "worker-gpu")):
        assert services[worker]["command"] == ["worker"]
        assert services[worker]["image"] == services[server]["image"]
        assert services[server]["environment"]["ENDOMASK_WORKERS"] == "0"
        assert services[server]["volumes"] == services[worker]["volumes"] == ["data:/data"]
    assert services["service-gpu"]["build"]["target"] == "gpu"
    assert services["service-gpu"]["profiles"] == services["worker-gpu"]["profiles"] == ["gpu"]


def test_every_container_is_hardened_and_publishes_to_this_machine_only() -> None:
    for name, container in compose()["services"].items():
        assert container["read_only"] is True, name
        assert container["cap_drop"] == ["ALL"], name
        assert container["security_opt"] == ["no-new-privileges:true"], name
        assert "mem_limit" in container, name
        assert all(port.startswith("127.0.0.1:") for port in container.get("ports", [])), name


def test_no_password_is_written_down() -> None:
    for name, container in compose()["services"].items():
        for variable, value in container.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|TOKEN|KEY", variable):
                assert re.fullmatch(r"\$\{[A-Z_]+:\?.+\}", value), f"{name} sets {variable} to a fixed value"


def test_the_container_files_set_only_settings_that_exist() -> None:
    text = (ROOT / "Dockerfile").read_text() + yaml.safe_dump(
        [s.get("environment") for s in compose()["services"].values()]
    )
    set_there = {name.lower() for name in re.findall(r"\bENDOMASK_([A-Z_]+)[=:]", text)}
    assert set_there >= {"host", "port", "data_dir", "models_dir", "workers"}
    assert not set_there - Settings.model_fields.keys()


def stage(name: str) -> list[str]:
    """Instructions of a Dockerfile stage, one a line, without its FROM."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    (body,) = re.findall(rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM|\Z)", text, re.MULTILINE | re.DOTALL)
    return [" ".join(line.split()) for line in body.splitlines() if line.strip()]


def test_the_gpu_image_is_the_service_image_on_cuda() -> None:
    cuda = r" (ENDOMASK_PROVIDER|NVIDIA_\w+)=\S+"
    gpu = [re.sub(cuda, "", line).replace("gpu-", "cpu-").replace("period=60s", "period=30s") for line in stage("gpu")]
    assert gpu == stage("service")
    assert [line.removesuffix(" --cpu") for line in stage("cpu-packages")] == stage("gpu-packages")


def test_the_image_runs_as_a_fixed_user_with_its_data_on_a_volume() -> None:
    lines = stage("service")
    assert {"USER 10001:10001", "VOLUME /data", 'CMD ["serve"]'} <= set(lines)
    assert [line for line in lines if line.startswith("HEALTHCHECK") and "/livez" in line]
    assert lines.index("USER 10001:10001") > max(i for i, line in enumerate(lines) if line.startswith("RUN"))


def test_docker_compose_accepts_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFANA_ADMIN_PASSWORD", "of-this-test")
    assert complaint(ROOT / "docker-compose.yml") == ""


def test_prometheus_scrapes_the_name_that_the_compose_file_gives_the_service() -> None:
    configuration = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    (target,) = configuration["scrape_configs"][0]["static_configs"][0]["targets"]
    host, port = target.split(":")
    for name in ("service", "service-gpu"):
        service = compose()["services"][name]
        assert service["networks"]["default"]["aliases"] == [host]
        assert service["ports"][0].endswith(f":{port}")
