"""What every ONNX file of a package keeps, whichever runtime opens it."""

from service.errors import PackageError
from service.manifest.package import Package
from service.manifest.schema import INPUT_NAME, OUTPUT_NAME

Port = tuple[str, str, list[int]]
"""An input or output of a graph: name, element type, shape without the batch."""


def check_contract(package: Package, inputs: list[Port], outputs: list[Port], contract_sha256: str | None) -> None:
    """Raise PackageError unless the graph is `frames` uint8 [N, h, w, 3] -> `probabilities` uint8 [N, C, h, w] and
    carries the checksum of the package's contract."""
    entry, planes = package.manifest.input, package.manifest.channels
    height, width = entry.height, entry.width
    if inputs != [(INPUT_NAME, "uint8", [height, width, 3])]:
        raise PackageError(f"{package.label}: the input is {inputs}, not {INPUT_NAME} uint8 [N, {height}, {width}, 3]")
    if outputs != [(OUTPUT_NAME, "uint8", [planes, height, width])]:
        wanted = f"{OUTPUT_NAME} uint8 [N, {planes}, {height}, {width}]"
        raise PackageError(f"{package.label}: the output is {outputs}, not {wanted}")
    if contract_sha256 != package.manifest.contract_sha256():
        raise PackageError(
            f"{package.label}: the ONNX file belongs to another manifest (contract_sha256 {contract_sha256})"
        )
