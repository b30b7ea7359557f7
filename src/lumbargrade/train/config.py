"""What a training run does: frozen configurations, read from TOML, checked on construction."""

import tomllib
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from lumbargrade.errors import UsageError
from lumbargrade.grade.context import CONTEXT
from lumbargrade.grade.recipe import NETWORK_NAMES
from lumbargrade.localise import JUNCTION, LOCALISER
from lumbargrade.train.backbone import BUILT_IN, Backbone

NETWORKS = (LOCALISER, *NETWORK_NAMES.values(), CONTEXT, JUNCTION)
"""The networks of a member; the one that takes longest comes first. The context learns from graders that are trained, and the junction from
a localiser that is, on synthetic studies."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast one network is trained: AdamW, linear warm-up, cosine decay, moving average of the weights.

    ``mixed_precision`` is whether forward passes run in bfloat16 on devices that have it: 2 to 9 times faster, rounded to 3 digits.
    """

    steps: int = 1000
    batch_size: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    warmup_fraction: float = 0.05
    average_decay: float = 0.99
    mixed_precision: bool = True

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 2:
            raise UsageError(f"a schedule needs at least 1 step of at least 2 samples, not {self.steps} of {self.batch_size}")
        if not 0 < self.learning_rate < 1:
            raise UsageError(f"learning_rate must lie between 0 and 1, not {self.learning_rate}")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One training run.

    Attributes:
        threads: 0 takes all cores.
        networks: those that are trained; the others are taken from another model.
        from_scratch: whether networks begin anew instead of from a model that is there.
        started_rate: the share of their learning rates with which networks go on from another model's: at the full rates they would first
            lose what they know.
        backbone, backbone_px, backbone_weights: what reads the graders' pictures, as in ``Backbone``; with another than the built-in one
            graders begin anew.
    """

    name: str = "default"
    seed: int = 0
    threads: int = 0
    networks: tuple[str, ...] = NETWORKS[:-1]
    from_scratch: bool = False
    started_rate: float = 0.2
    backbone: str = BUILT_IN.name
    backbone_px: int = BUILT_IN.size_px
    backbone_weights: str = BUILT_IN.weights
    localiser: Schedule = field(default_factory=lambda: Schedule(steps=6000, batch_size=16, learning_rate=2.5e-3))
    canal: Schedule = field(default_factory=lambda: Schedule(steps=3000, batch_size=64, weight_decay=0.05, average_decay=0.995))
    foramen: Schedule = field(default_factory=lambda: Schedule(steps=3000, batch_size=64, weight_decay=0.05, average_decay=0.995))
    subarticular: Schedule = field(default_factory=lambda: Schedule(steps=3000, batch_size=64, weight_decay=0.05, average_decay=0.995))
    context: Schedule = field(default_factory=lambda: Schedule(steps=2000, batch_size=64, weight_decay=0.02, average_decay=0.995))
    junction: Schedule = field(default_factory=lambda: Schedule(steps=1000, batch_size=64, weight_decay=0.05))

    def __post_init__(self) -> None:
        unknown = [name for name in self.networks if name not in NETWORKS]
        if unknown or not self.networks:
            raise UsageError(f"networks: {', '.join(unknown) or 'none'}; at least one of {', '.join(NETWORKS)} is needed, and no other")
        _ = self.reader

    @property
    def reader(self) -> Backbone:
        """What reads the graders' pictures."""
        return Backbone(self.backbone, self.backbone_px, self.backbone_weights)

    @property
    def kept(self) -> tuple[str, ...]:
        """The networks that are taken from another model; what knows graders by what they say is not taken without them."""
        are_other = any(name in self.networks for name in NETWORK_NAMES.values())
        return tuple(name for name in NETWORKS if name not in self.networks and not (name == CONTEXT and are_other))

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "networks": list(self.networks)}


def load_config(name_or_file: str) -> TrainConfig:
    """A configuration that ships with the package, by name, or one from a TOML file.

    Raises:
        UsageError: no such configuration, not TOML, an unknown key, or a value of the wrong type.
    """
    path = Path(name_or_file)
    known = resources.files("lumbargrade.train") / "configs"
    if path.suffix == ".toml":
        if not path.is_file():
            raise UsageError(f"{path}: no such configuration file")
        text = path.read_text()
    else:
        names = sorted(entry.name.removesuffix(".toml") for entry in known.iterdir() if entry.name.endswith(".toml"))
        if name_or_file not in names:
            raise UsageError(f"no configuration {name_or_file!r}; there are {', '.join(names)}, or give a .toml file")
        text = (known / f"{name_or_file}.toml").read_text()
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name_or_file}: not TOML ({error})") from error
    config: TrainConfig = _build(TrainConfig(), {"name": path.stem, **values}, name_or_file)
    return config


def _build(default: Any, values: dict[str, Any], place: str) -> Any:
    known = {entry.name: getattr(default, entry.name) for entry in fields(default)}
    changed = {}
    for key, value in values.items():
        if key not in known:
            raise UsageError(f"{place}: unknown key {key!r}; there are {', '.join(known)}")
        current = known[key]
        if is_dataclass(current):
            if not isinstance(value, dict):
                raise UsageError(f"{place}: {key} must be a table")
            changed[key] = _build(current, value, f"{place}: {key}")
        elif isinstance(current, float) and isinstance(value, int | float) and not isinstance(value, bool):
            changed[key] = float(value)
        elif isinstance(current, tuple) and isinstance(value, list) and all(isinstance(each, str) for each in value):
            changed[key] = tuple(value)
        elif type(current) is type(value):
            changed[key] = value
        else:
            raise UsageError(f"{place}: {key} must be {type(current).__name__}, not {value!r}")
    return type(default)(**{**known, **changed})
