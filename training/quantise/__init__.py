"""Smaller and faster files of a package: INT8 and FP16 made from its FP32 file, measured, and shipped if they hold."""
