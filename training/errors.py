"""Errors of the training side, every one a sentence for the person at the terminal.

TrainingError
+-- DatasetError    a source or canonical data set does not hold what its layout promises; names the file
|   +-- MaskSizeError   a mask has another size than its frame
+-- InputError      what a command is pointed at cannot be read, or was made with other options; says what to do
+-- PresetError     a preset cannot be read, or does not fit the data it names
+-- ExportError     a package would not hold its contract: parity above tolerance, or a graph that fails its check
"""


class TrainingError(Exception):
    """Base of all; the command line prints it and exits with 1."""


class DatasetError(TrainingError):
    """A file of a data set is missing, unreadable or inconsistent."""


class InputError(TrainingError):
    """A video, a picture or a folder is missing, unreadable, or belongs to a call with other options."""


class MaskSizeError(DatasetError):
    """A mask and its frame differ in size."""


class PresetError(TrainingError):
    """A preset is invalid, or names classes, splits or data that are not there."""


class ExportError(TrainingError):
    """The exported graph differs from PyTorch by more than the tolerance, or breaks the package's contract."""
