"""What reads the windows of slices: the small network that is built in, or any of the timm library by name."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lumbargrade.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

PREFIX = "timm:"
IMAGENET = "imagenet"
SMALLEST_PX = 64


@dataclass(frozen=True, slots=True)
class Backbone:
    """A reader of windows.

    Attributes:
        name: ``built-in``, or ``timm:`` and a model name of that library, as ``timm:convnext_small``.
        size_px: the side of the pictures that a timm model is shown; crops are enlarged to it.
        weights: what a timm model begins with: nothing, ``imagenet`` for the weights that timm downloads or has at hand, or a weights file.

    Raises:
        UsageError: another name, or a size that no such model takes.
    """

    name: str = "built-in"
    size_px: int = 128
    weights: str = ""

    def __post_init__(self) -> None:
        if self.name != "built-in" and not (self.name.startswith(PREFIX) and len(self.name) > len(PREFIX)):
            raise UsageError(f"backbone {self.name!r}: built-in, or {PREFIX} and a model of the timm library, is needed")
        if self.size_px < SMALLEST_PX or self.size_px % 32:
            raise UsageError(f"backbone size_px {self.size_px}: a multiple of 32, at least {SMALLEST_PX}, is needed")

    @property
    def timm_name(self) -> str | None:
        """The model's name in timm; None for the built-in network."""
        return self.name.removeprefix(PREFIX) if self.name.startswith(PREFIX) else None


BUILT_IN = Backbone()


def timm_trunk(backbone: Backbone) -> "nn.Module":
    """A timm model without its classifier: (n, 3, size, size) to (n, ``num_features``).

    Raises:
        UsageError: timm is not installed or does not know the model, or its weights cannot be had.
    """
    try:
        import timm
    except (ImportError, RuntimeError) as error:  # a torchvision that does not fit torch fails with the latter
        reason = str(error).splitlines()[0]
        raise UsageError(f"backbone {backbone.name}: timm cannot be imported ({reason}); pip install timm torchvision") from error
    given = {} if backbone.weights in ("", IMAGENET) else {"pretrained_cfg_overlay": {"file": str(Path(backbone.weights))}}
    sized = {"img_size": backbone.size_px} if _takes_size(timm, str(backbone.timm_name)) else {}
    try:
        return timm.create_model(backbone.timm_name, pretrained=bool(backbone.weights), num_classes=0, in_chans=3, **given, **sized)  # type: ignore[no-any-return]
    except (RuntimeError, ValueError, OSError) as error:
        raise UsageError(f"backbone {backbone.name}: {str(error).splitlines()[0]}") from error


def _takes_size(timm: object, name: str) -> bool:
    """Whether a model is built for one size of picture, as transformers are, and has to be told."""
    try:
        config = timm.get_pretrained_cfg(name)  # type: ignore[attr-defined]
    except (RuntimeError, ValueError):
        return False
    return bool(config is not None and getattr(config, "fixed_input_size", False))
