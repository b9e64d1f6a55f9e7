"""Whether a precision is shipped: it must hold and be faster on one backend, or it is not written."""

from dataclasses import dataclass, field

from service.manifest.entries import DICE_LOSS_LIMIT, Parity, PrecisionName


@dataclass(frozen=True)
class Rules:
    """What is asked of a precision."""

    most_relative_time: dict[str, float] = field(default_factory=lambda: {"int8": 0.5, "fp16": 0.95})
    """Time over FP32's in the same backend; INT8 that is not twice as fast is not worth a second file."""
    mask_distance: float = 0.02
    """Of INT8's masks from FP32's on training frames, above which layers are sought that must stay in float."""
    allow_unmeasured: bool = False
    """Ships FP16 that holds although no GPU, for which it is meant, is here to time it."""

    def is_fast(self, parity: Parity) -> bool:
        return parity.relative_time is not None and parity.relative_time <= self.most_relative_time[parity.precision]


@dataclass(frozen=True)
class Verdict:
    """`reasons`: one sentence a backend, whether it speaks for the precision or against."""

    precision: PrecisionName
    shipped: bool
    parities: list[Parity] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def judge(precision: PrecisionName, parities: list[Parity], rules: Rules) -> Verdict:
    """FP16 is timed on GPUs alone: most CPUs only convert back and forth, and a busy one may seem faster by chance."""
    reasons = [_reason(parity, rules) for parity in parities]
    meant = [p for p in parities if precision != "fp16" or p.backend.endswith("-cuda")]
    fast = any(p.holds and rules.is_fast(p) for p in meant)
    if meant:
        return Verdict(precision, fast, parities, reasons)
    if rules.allow_unmeasured and any(p.holds for p in parities):
        reasons.append("shipped untimed: FP16 is meant for GPUs and none is here (asked for by --allow-unmeasured)")
        return Verdict(precision, True, parities, reasons)
    reasons.append("FP16 is meant for GPUs and none is here to time it; --allow-unmeasured ships it if its Dice holds")
    return Verdict(precision, False, parities, reasons)


def _reason(parity: Parity, rules: Rules) -> str:
    """What was measured and what was wanted."""
    limit = rules.most_relative_time[parity.precision]
    dice = "within" if parity.holds else "NOT within"
    time = "fast enough" if rules.is_fast(parity) else "NOT fast enough"
    return (
        f"{parity.backend}: Dice {parity.dice_difference:+.4f} at worst ({dice} {DICE_LOSS_LIMIT}), takes "
        f"{parity.relative_time} of FP32's time ({time}: at most {limit}), {parity.held_out_changed_share:.3%} of the "
        "held-out pixels change class"
    )
