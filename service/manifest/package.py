"""A model package on disk."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import ValidationError

from service.errors import PackageError
from service.imaging.geometry import U8
from service.manifest.entries import PrecisionName
from service.manifest.schema import Manifest


@dataclass(frozen=True, slots=True)
class Package:
    """A model package on disk: its folder and its validated manifest."""

    folder: Path
    manifest: Manifest

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read `manifest.json`; raises PackageError when it is missing, malformed or in the wrong folder."""
        where = f"model package {folder.parent.name}/{folder.name}"
        try:
            manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
        except FileNotFoundError as error:
            raise PackageError(f"{where} has no manifest.json") from error
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "manifest"
            raise PackageError(f"{where}: manifest.json does not hold: {field}: {first['msg']}") from error
        if (folder.parent.name, folder.name) != (manifest.name, str(manifest.version)):
            raise PackageError(f"{where} says that it is {manifest.name}/{manifest.version}")
        return cls(folder, manifest)

    def model_path(self, precision: PrecisionName) -> Path:
        return self.folder / self.manifest.files[precision].file

    def verify(self) -> None:
        """Raise PackageError unless every file is there with the checksum that the manifest gives."""
        for entry in [*self.manifest.files.values(), self.manifest.golden]:
            path = self.folder / entry.file
            if not path.is_file():
                raise PackageError(f"{self.label}: {entry.file} is missing")
            if (found := sha256_of(path)) != entry.sha256:
                raise PackageError(
                    f"{self.label}: {entry.file} has checksum {found[:12]}..., the manifest says {entry.sha256[:12]}..."
                )

    def golden(self) -> tuple[U8, U8]:
        """Golden frames uint8 [N, h, w, 3] and the probabilities uint8 [N, C, h, w] that PyTorch gave for them."""
        with np.load(self.folder / self.manifest.golden.file, allow_pickle=False) as arrays:
            return arrays["frames"], arrays["probabilities"]

    @property
    def label(self) -> str:
        return f"{self.manifest.name}/{self.manifest.version}"


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
