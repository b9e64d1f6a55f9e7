"""Static INT8: an ONNX file whose layers compute in 8 bits, calibrated on training frames.

QDQ format: every runtime that reads it (ONNX Runtime, OpenVINO, TensorRT) fuses what it has kernels for. Activations
are unsigned, as CPUs with VNNI multiply u8 by s8 (signed ones ran slower than FP32 there); weights are signed, with a
scale for each output channel. Ranges are MinMax: percentiles cut the rare strong activations that make an instrument.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from service.imaging.geometry import U8
from service.manifest.schema import INPUT_NAME
from training.export.onnx_file import drop_traces
from training.quantise.layers import layers, outside


class Int8Builder:
    """Makes INT8 files of one FP32 file. Ranges are measured once, however many files are written.

    `frames`: training frames as the model gets them, RGB uint8 [N, h, w, 3]. The last layer, the normalisation before
    the first and the activation after the last stay in float.
    """

    def __init__(self, source: Path, frames: U8) -> None:
        self._work = tempfile.TemporaryDirectory(prefix="endomask-int8-")
        self._prepared = Path(self._work.name) / "prepared.onnx"
        quant_pre_process(str(source), str(self._prepared), skip_symbolic_shape=True)
        model = onnx.load(self._prepared)
        *self.layers, self._head = layers(model)
        self._outside = outside(model)
        self._properties = {entry.key: entry.value for entry in onnx.load(source).metadata_props}
        self._frames = frames

    def write(self, path: Path, keep_float: Sequence[str] = ()) -> None:
        """`keep_float`: layers that stay in float besides the last one."""
        quantize_static(
            self._prepared,
            path,
            _Frames(self._frames),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=[*self._outside, self._head, *keep_float],
            calibration_cache_path=Path(self._work.name) / "ranges.json",
        )
        model = onnx.load(path)
        drop_traces(model)
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, self._properties)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)

    def describe(self, keep_float: Sequence[str]) -> str:
        """For the manifest."""
        kept = f"the head and {len(keep_float)} of {len(self.layers)} other layers" if keep_float else "the head"
        return (
            "static INT8 (QDQ), unsigned activations, signed weights per channel, MinMax over "
            f"{len(self._frames)} training frames; normalisation, activation, {kept} in float"
        )

    def close(self) -> None:
        self._work.cleanup()


class _Frames(CalibrationDataReader):  # type: ignore[misc]
    """One frame at a time, so that memory does not grow with their number."""

    def __init__(self, frames: U8) -> None:
        self._batches = iter(frames)

    def get_next(self) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]] | None:
        frame = next(self._batches, None)
        return None if frame is None else {INPUT_NAME: frame[np.newaxis]}
