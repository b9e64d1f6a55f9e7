"""From the preset's strengths to the transforms; what has no strength is left out."""

from torchvision.transforms import v2

from training.augment.changes import CircularView, Compression, Haze, LightField, SensorNoise
from training.config import AugmentSpec

NO_CHANGE = (1.0, 1.0)


def build_augmentation(spec: AugmentSpec, height: int, width: int) -> v2.Transform:
    """Image uint8 [3, H, W] and Mask uint8 [1, H, W] of any size -> the same at `height` x `width`."""
    return v2.Compose([*_colours(spec), *_moves(spec, height, width), *_disturbances(spec)])


def zooms(spec: AugmentSpec) -> bool:
    """Whether frames need to be kept larger than the model's input, so that zooming in does not blur."""
    return spec.crop_scale != NO_CHANGE or spec.scale[1] > 1


def _colours(spec: AugmentSpec) -> list[v2.Transform]:
    found: list[v2.Transform] = []
    if spec.brightness or spec.contrast or spec.saturation:
        found.append(v2.RandomApply([v2.ColorJitter(spec.brightness, spec.contrast, spec.saturation)], p=0.8))
    if spec.hue:
        found.append(v2.RandomApply([v2.ColorJitter(hue=spec.hue)], p=0.5))
    if spec.grey:
        found.append(v2.RandomGrayscale(p=spec.grey))
    return found


def _moves(spec: AugmentSpec, height: int, width: int) -> list[v2.Transform]:
    found: list[v2.Transform] = []
    if spec.degrees or spec.translate or spec.shear_degrees or spec.scale != NO_CHANGE:
        affine = v2.RandomAffine(
            degrees=spec.degrees,
            translate=(spec.translate, spec.translate),
            scale=spec.scale,
            shear=spec.shear_degrees,
            interpolation=v2.InterpolationMode.BILINEAR,
        )
        found.append(affine)
    if spec.crop_scale != NO_CHANGE:
        found.append(v2.RandomResizedCrop((height, width), scale=spec.crop_scale, ratio=(0.8, 1.25), antialias=False))
    else:
        found.append(v2.Resize((height, width), antialias=True))
    if spec.horizontal_flip:
        found.append(v2.RandomHorizontalFlip(p=spec.horizontal_flip))
    if spec.vertical_flip:
        found.append(v2.RandomVerticalFlip(p=spec.vertical_flip))
    return found


def _disturbances(spec: AugmentSpec) -> list[v2.Transform]:
    choices = (
        (LightField(), spec.light_field),
        (Haze(), spec.haze),
        (v2.GaussianBlur(5, sigma=(0.1, 1.8)), spec.blur),
        (SensorNoise(), spec.noise),
        (Compression(), spec.jpeg),
        (CircularView(), spec.circular_view),
    )
    return [v2.RandomApply([change], p=p) for change, p in choices if p]
