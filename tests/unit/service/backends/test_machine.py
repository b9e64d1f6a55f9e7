"""What is held to be another machine."""

from pathlib import Path

from service.backends.machine import machine_identity

CPUINFO = """processor\t: 0
model name\t: Some CPU
flags\t\t: avx2 avx512_vnni
cpu MHz\t\t: {mhz}

processor\t: 1
model name\t: Some CPU
"""


def identity(tmp_path: Path, text: str) -> dict[str, str]:
    (tmp_path / "cpuinfo").write_text(text)
    return machine_identity(tmp_path / "cpuinfo")


def test_processor_and_runtimes_are_told_and_the_clock_is_not(tmp_path: Path) -> None:
    facts = identity(tmp_path, CPUINFO.format(mhz=2000))
    assert facts["model name"] == "Some CPU"
    assert facts["flags"] == "avx2 avx512_vnni"
    assert int(facts["cores"]) >= 1
    assert facts["openvino"]
    assert identity(tmp_path, CPUINFO.format(mhz=3100)) == facts
    assert identity(tmp_path, CPUINFO.format(mhz=2000).replace("avx512_vnni", "")) != facts


def test_without_linuxs_list_the_platform_speaks(tmp_path: Path) -> None:
    assert "processor" in machine_identity(tmp_path / "none")
