"""What the command line may name. Apart from the readers, so that help does not wait for their imports."""

from enum import StrEnum


class SourceName(StrEnum):
    """Published data sets and generators, each with a reader in `training.datasets.readers`; own annotations."""

    KVASIR_SEG = "kvasir-seg"
    KVASIR_INSTRUMENT = "kvasir-instrument"
    SAR_RARP50 = "sar-rarp50"
    UCL_SYNTHETIC = "ucl-synthetic"
    CHOLECSEG8K = "cholecseg8k"
    ENDOVIS2015_RIGID = "endovis2015-rigid"
    ENDOVIS2015_ROBOTIC = "endovis2015-robotic"
    GAE_ROBOTIC_GREY = "gae-robotic-grey"
    SYNTHETIC = "synthetic"
    OUT_OF_BODY = "out-of-body"
    FOLDERS = "folders"
    COCO = "coco"
    CVAT = "cvat"
    LABEL_STUDIO = "label-studio"


class Unit(StrEnum):
    """What a split keeps together."""

    GROUP = "group"
    FRAME = "frame"
