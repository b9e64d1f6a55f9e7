"""How providers are asked for; no GPU is needed to say."""

from pathlib import Path

import pytest

from service.backends.candidates import candidates_for
from service.backends.providers import Device, Engine, attempts_for, cuda_device_count, devices_of
from service.errors import ProviderUnavailable
from service.manifest.package import Package
from service.settings import Settings

ENGINE = Engine(288, 384, 8, "fp16", Path("kept/tensorrt/red-0123"))


def test_cuda_is_tried_with_a_captured_graph_first_and_without_one_next() -> None:
    attempts = attempts_for(Device("cuda", 1), ENGINE)
    assert attempts == [
        [("CUDAExecutionProvider", {"device_id": "1", "enable_cuda_graph": "1"})],
        [("CUDAExecutionProvider", {"device_id": "1", "enable_cuda_graph": "0"})],
    ]


def test_tensorrt_builds_one_engine_for_every_bucket_keeps_it_and_leaves_the_rest_to_cuda() -> None:
    ((tensorrt, cuda),) = attempts_for(Device("tensorrt"), ENGINE)
    assert cuda == ("CUDAExecutionProvider", {"device_id": "0", "enable_cuda_graph": "0"})
    name, options = tensorrt
    assert name == "TensorrtExecutionProvider"
    assert options["trt_profile_min_shapes"] == "frames:1x288x384x3"
    assert options["trt_profile_max_shapes"] == options["trt_profile_opt_shapes"] == "frames:8x288x384x3"
    assert (options["trt_fp16_enable"], options["trt_int8_enable"]) == ("1", "0")
    assert (options["trt_engine_cache_enable"], options["trt_engine_cache_path"]) == ("1", "kept/tensorrt/red-0123")
    assert (options["trt_timing_cache_enable"], options["trt_timing_cache_path"]) == ("1", "kept/tensorrt")


def test_without_a_folder_nothing_is_kept() -> None:
    options = Engine(288, 384, 8, "int8", None).options(0)
    assert not [name for name in options if "cache" in name]
    assert (options["trt_fp16_enable"], options["trt_int8_enable"]) == ("0", "1")


def test_the_cpu_is_one_device() -> None:
    assert devices_of("cpu") == [Device("cpu")]
    assert attempts_for(Device("cpu"), ENGINE) == [[("CPUExecutionProvider", {})]]


@pytest.mark.skipif(cuda_device_count() > 0, reason="a GPU is here")
@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_gpus_provider_asked_for_by_name_on_a_machine_without_is_refused(provider: str) -> None:
    with pytest.raises(ProviderUnavailable, match=rf"provider {provider} was asked for and is not there: .* 0 GPUs"):
        devices_of(provider)


def names(package: Package, settings: Settings, provider: str) -> list[str]:
    return [f"{entry.provider} {entry.precision}" for entry in candidates_for(package, settings, provider)]


@pytest.mark.parametrize(("there", "places"), [(False, ["cuda"]), (True, ["cuda", "tensorrt"])])
def test_auto_tries_tensorrt_beside_cuda_where_its_library_loads(
    both: Package, monkeypatch: pytest.MonkeyPatch, there: bool, places: list[str]
) -> None:
    monkeypatch.setattr("service.backends.candidates.has_tensorrt", lambda: there)
    found = names(both, Settings(threads=1), "cuda")
    assert list(dict.fromkeys(name.split()[0] for name in found)) == places
    assert names(both, Settings(provider="cuda", threads=1), "cuda") == ["cuda fp32"]


def test_tensorrt_runs_the_int8_file_only_when_it_is_asked_for(both: Package) -> None:
    assert names(both, Settings(provider="tensorrt", threads=1), "tensorrt") == ["tensorrt fp32"]
    asked = Settings(provider="tensorrt", precision="int8", threads=1)
    assert names(both, asked, "tensorrt") == ["tensorrt int8"]
