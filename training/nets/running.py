"""A net as the service sees a model: uint8 frames in, uint8 probabilities out, everything between inside."""

from typing import Literal

import torch
from torch import Tensor, nn

from service.imaging.geometry import U8
from training.errors import TrainingError
from training.nets.segmentation import SegmentationNet

Device = Literal["auto", "cpu", "cuda"]


class Graph(nn.Module):
    """RGB uint8 [N, h, w, 3] -> probabilities uint8 [N, C, h, w], 255 = certain."""

    def __init__(self, net: SegmentationNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, frames: Tensor) -> Tensor:
        logits = self.net(frames.permute(0, 3, 1, 2))
        probabilities = logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(dim=1)
        quantised: Tensor = (probabilities * 255).round().to(torch.uint8)
        return quantised


class TorchBackend:
    """PyTorch in float32 behind the service's Backend protocol: what an exported file is compared with."""

    name = "pytorch"
    precision = "fp32"
    max_batch = 8
    lanes = 1

    def __init__(self, net: SegmentationNet, device: Literal["cpu", "cuda"] = "cpu") -> None:
        self.provider: str = device
        self.threads = torch.get_num_threads()
        self._graph = Graph(net).eval().to(device)

    def run(self, frames: U8) -> U8:
        """RGB uint8 [N, h, w, 3] -> probabilities uint8 [N, C, h, w]."""
        with torch.inference_mode():
            probabilities: U8 = self._graph(torch.from_numpy(frames).to(self.provider)).cpu().numpy()
        return probabilities


def choose_device(asked: Device) -> Literal["cpu", "cuda"]:
    """`auto` is the GPU where PyTorch finds one. Raises TrainingError where one was asked for and is not there."""
    if asked == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device cuda was asked for, and PyTorch finds no GPU")
    return "cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu"
