"""Errors of the training side, every one a sentence for the person at the terminal.

TrainingError
+-- DatasetError    a source or canonical data set does not hold what its layout promises; names the file
+-- PresetError     a preset cannot be read, or does not fit the data it names
+-- ExportError     a package would not hold its contract: parity above tolerance, or a graph that fails its check
"""


class TrainingError(Exception):
    """Base of all; the command line prints it and exits with 1."""


class DatasetError(TrainingError):
    """A file of a data set is missing, unreadable or inconsistent."""


class PresetError(TrainingError):
    """A preset is invalid, or names classes, splits or data that are not there."""


class ExportError(TrainingError):
    """The exported graph differs from PyTorch by more than the tolerance, or breaks the package's contract."""
