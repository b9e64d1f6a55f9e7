"""Nets: one class examines every net that a preset ships; normalisation inside; encoder weights from a local file."""

import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from service.manifest.entries import FileEntry, InputEntry
from service.manifest.record import Training
from service.manifest.schema import Manifest
from tests.support.squares import squares_preset
from training.config import PRESETS_DIR, LossSpec, NetSpec, load_preset
from training.errors import PresetError
from training.export.onnx_file import write_onnx
from training.fitting.module import SegmentationModule
from training.losses import segmentation_loss
from training.nets.encoder_weights import hub_weights
from training.nets.running import TorchBackend
from training.nets.segmentation import MEAN, STD, SegmentationNet, build_net, depthwise_in_float32

REAL_WEIGHTS = Path(__file__).parents[5] / "shared" / "weights" / "tf_efficientnet_lite0.pth"
LITE = {"decoder_channels": [128, 64, 48, 32, 16]}


class NetContract:
    """What every net must hold; a subclass names one. Full nets, small pictures: exporting takes seconds."""

    spec: NetSpec
    channels = 1
    side = 64

    @pytest.fixture(scope="class")
    @classmethod
    def net(cls) -> SegmentationNet:
        torch.manual_seed(2)
        return build_net(cls.spec, cls.channels, None)

    def test_a_mask_has_the_size_of_its_frame(self, net: SegmentationNet) -> None:
        net.eval()
        with torch.inference_mode():
            logits = net(torch.randint(0, 256, (2, 3, self.side, self.side + 32), dtype=torch.uint8))
        assert logits.shape == (2, self.channels, self.side, self.side + 32)
        assert logits.isfinite().all()

    def test_gradients_reach_every_parameter(self, net: SegmentationNet) -> None:
        torch.manual_seed(1)
        net.train().zero_grad()
        frames = torch.randint(0, 256, (2, 3, self.side, self.side), dtype=torch.uint8)
        target = torch.randint(0, max(2, self.channels), (2, self.side, self.side))
        segmentation_loss(net(frames), target, LossSpec(cross_entropy=1.0, dice=1.0)).backward()  # type: ignore[no-untyped-call]
        gradients = {name: parameter.grad for name, parameter in net.named_parameters()}
        assert [name for name, gradient in gradients.items() if gradient is None] == []
        assert all(gradient.isfinite().all() for gradient in gradients.values() if gradient is not None)
        still = [name for name, gradient in gradients.items() if gradient is not None and not gradient.any()]
        assert still == []

    def test_the_exported_file_answers_as_pytorch_does(self, net: SegmentationNet, tmp_path: Path) -> None:
        write_onnx(net.eval(), _manifest(self.side, self.channels), tmp_path / "model.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(tmp_path / "model.onnx", options, ["CPUExecutionProvider"])
        frames = np.random.default_rng(0).integers(0, 256, (3, self.side, self.side, 3), dtype=np.uint8)
        expected = TorchBackend(net).run(frames)
        (three,) = session.run(None, {"frames": frames})
        (one,) = session.run(None, {"frames": frames[:1]})
        assert three.dtype == np.uint8
        assert np.abs(three.astype(int) - expected).max() <= 1
        assert np.abs(one.astype(int) - expected[:1]).max() <= 1


class TestUnetOnLite0(NetContract):
    spec = NetSpec()


class TestUnetOnLite2(NetContract):
    spec = NetSpec(encoder="tu-tf_efficientnet_lite2", options=LITE)
    channels = 3


class TestUnetThatDrawsItsMaskFromAQuarter(NetContract):
    spec = NetSpec(encoder="tu-tf_efficientnet_lite2", options=LITE, output_stride=4)


class TestUnetThatDrawsSeveralClassesFromAHalf(NetContract):
    spec = NetSpec(options=LITE, output_stride=2)
    channels = 3


class TestUnetOnEfficientNetB4(NetContract):
    spec = NetSpec(encoder="efficientnet-b4")
    channels = 10


class TestUnetOnResNet34(NetContract):
    spec = NetSpec(encoder="resnet34")


class TestUnetOnResNet50(NetContract):
    spec = NetSpec(encoder="resnet50")
    channels = 13


class TestUnetPlusPlusOnEfficientNetB2(NetContract):
    spec = NetSpec(architecture="unetplusplus", encoder="efficientnet-b2")


class TestDeepLabV3PlusOnResNet50(NetContract):
    spec = NetSpec(architecture="deeplabv3plus", encoder="resnet50")


class TestDeepLabV3OnResNet50(NetContract):
    spec = NetSpec(architecture="deeplabv3", encoder="resnet50")
    channels = 13


def test_every_net_that_a_preset_ships_is_examined() -> None:
    examined = [contract.spec.model_dump() for contract in NetContract.__subclasses__()]
    shipped = {path.stem: load_preset(path.stem).net.model_dump() for path in PRESETS_DIR.glob("*.yaml")}
    assert [name for name, net in shipped.items() if net not in examined] == []


def _manifest(side: int, channels: int) -> Manifest:
    nothing = FileEntry(file="none", sha256="0" * 64)
    names = ["background", *(f"class {i}" for i in range(1, max(2, channels)))]
    return Manifest.model_validate(
        {
            "name": "contract",
            "version": 1,
            "task": "segmentation",
            "classes": [{"id": i, "name": name, "colour": "#000000"} for i, name in enumerate(names)],
            "input": InputEntry(height=side, width=side, resize="stretch"),
            "threshold": 0.5,
            "files": {"fp32": nothing},
            "golden": nothing,
            "parity": [],
            "training": Training(
                datasets=[], split="", split_unit="", preset="contract", seed=1, epochs=1, code_version=""
            ),
            "metrics": [],
            "licence": {"weights": "none", "data": "none"},
            "intended_use": "tests",
            "limits": "all",
        }
    )


def _encoder_weights(net: SegmentationNet) -> dict[str, Tensor]:
    encoder = net.body.get_submodule("encoder")
    return dict(getattr(encoder, "model", encoder).state_dict())


def test_normalisation_is_part_of_the_net() -> None:
    net = SegmentationNet(torch.nn.Identity())
    pixels = torch.tensor([10, 128, 250], dtype=torch.uint8).view(1, 3, 1, 1)
    wanted = [(value / 255 - mean) / std for value, mean, std in zip((10, 128, 250), MEAN, STD, strict=True)]
    assert net(pixels).flatten().tolist() == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(
    ("encoder", "head", "suffix"),
    [
        ("tu-tf_efficientnet_lite0", ("conv_head.weight", "bn2.bias", "classifier.weight"), "pth"),
        ("efficientnet-b0", ("_conv_head.weight", "_bn1.bias", "_fc.weight"), "safetensors"),
        ("resnet18", ("fc.weight", "fc.bias"), "pth"),
    ],
)
def test_encoder_weights_come_from_a_file_and_the_classifier_is_left_out(
    tmp_path: Path, encoder: str, head: tuple[str, ...], suffix: str
) -> None:
    spec, path = NetSpec(encoder=encoder), tmp_path / f"w.{suffix}"
    torch.manual_seed(1)
    weights = _encoder_weights(build_net(spec, 1, None))
    whole = {**weights, **{name: torch.zeros(2) for name in head}}
    if suffix == "pth":
        torch.save(whole, path)
    else:
        save_file({name: value.contiguous() for name, value in whole.items()}, path)
    torch.manual_seed(2)
    loaded = _encoder_weights(build_net(spec, 1, path))
    assert all(torch.equal(loaded[name], value) for name, value in weights.items())


def test_weights_of_another_encoder_are_refused(tmp_path: Path) -> None:
    torch.save({"layer1.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(PresetError, match=r"other\.pth does not fit the encoder: \d+ weights missing .* 1 unknown"):
        build_net(NetSpec(), 1, tmp_path / "other.pth")


def test_weights_of_another_width_are_refused(tmp_path: Path) -> None:
    weights = _encoder_weights(build_net(NetSpec(encoder="resnet18"), 1, None))
    torch.save({**weights, "conv1.weight": torch.zeros(64, 1, 7, 7)}, tmp_path / "grey.pth")
    with pytest.raises(PresetError, match=r"0 weights missing .* 1 of another shape \['conv1.weight'\]"):
        build_net(NetSpec(encoder="resnet18"), 1, tmp_path / "grey.pth")


def test_a_missing_weight_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match=r"absent\.pth are missing"):
        build_net(NetSpec(), 1, tmp_path / "absent.pth")


def test_the_hub_s_name_of_the_weights_belongs_to_the_encoder() -> None:
    assert hub_weights("resnet50") == "imagenet"
    assert hub_weights("efficientnet-b4") == "imagenet"
    assert hub_weights("tu-tf_efficientnet_lite0") is True


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"architecture": "unit"}, "unit on tu-tf_efficientnet_lite0 can't be built"),
        ({"encoder": "resnet51"}, "unet on resnet51 can't be built: .*resnet51"),
        ({"options": {"decoder": 3}}, "can't be built: .*decoder"),
        ({"encoder": "resnet18", "options": {"decoder": 3}}, "unet on resnet18 has no option decoder"),
        ({"architecture": "fpn", "output_stride": 4}, "output_stride 4 is for architecture unet, this one is fpn"),
        (
            {"options": {"encoder_depth": 3, "decoder_channels": [64, 32, 16]}, "output_stride": 8},
            "output_stride 8 leaves no block of a decoder of 3 blocks",
        ),
    ],
)
def test_a_net_that_can_t_be_built_says_why(spec: dict[str, object], said: str) -> None:
    with pytest.raises(PresetError, match=said):
        build_net(NetSpec.model_validate(spec), 1, None)


def test_an_encoder_that_smp_takes_from_timm_gets_its_options() -> None:
    spec = NetSpec(encoder="timm-regnetx_002", options={"drop_path_rate": 0.1})
    with pytest.warns(DeprecationWarning, match="`timm-` encoders"):
        net = build_net(spec, 1, None)
    assert any(getattr(module, "drop_prob", 0) for module in net.modules())


@pytest.mark.data
def test_the_imagenet_weights_fit_the_encoder() -> None:
    if not REAL_WEIGHTS.is_file():
        pytest.skip("the ImageNet weights are not beside the project")
    loaded = _encoder_weights(build_net(NetSpec(), 1, REAL_WEIGHTS))
    stored = torch.load(REAL_WEIGHTS, weights_only=True)
    assert torch.equal(loaded["conv_stem.weight"], stored["conv_stem.weight"].float())


def _depthwise_dtypes(net: nn.Module, frames: Tensor) -> set[torch.dtype]:
    """What the depthwise convolutions of `net` give under autocast."""
    seen: set[torch.dtype] = set()
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d) and m.groups == m.in_channels > 1]
    hooks = [c.register_forward_hook(lambda _m, _i, output: seen.add(output.dtype)) for c in convolutions]
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        net(frames)
    for hook in hooks:
        hook.remove()
    return seen


def test_depthwise_convolutions_leave_autocast_and_answer_the_same() -> None:
    torch.manual_seed(4)
    net = build_net(NetSpec(), 1, None).eval()
    frames = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        exact = net(frames)
        with torch.autocast("cpu", torch.bfloat16):
            before = net(frames).float()
            depthwise_in_float32(net)
            after = net(frames).float()
        assert torch.equal(net(frames), exact)
    assert (after - exact).abs().max() <= 2 * (before - exact).abs().max()


def test_the_averaged_copy_keeps_its_convolutions() -> None:
    module = SegmentationModule(build_net(NetSpec(), 1, None), squares_preset())
    module.on_fit_start()
    module.eval()
    frames = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    assert _depthwise_dtypes(module.net, frames) == {torch.float32}
    assert _depthwise_dtypes(module.averaged, frames) == {torch.bfloat16}


def test_building_a_net_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_net(NetSpec(encoder="efficientnet-b0"), 1, None)
