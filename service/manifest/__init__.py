"""The model package: what `models/<name>/<version>/manifest.json` says, and whether the files beside it hold it.

A package is refused, with the reason, when its manifest is incomplete, a checksum differs, or its golden outputs are
not reproduced. docs/models.md documents every field.
"""
