"""What a run takes from other models: networks that it does not train, so that it leaves a whole model, and those to go on from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumbargrade.errors import ModelFileError
from lumbargrade.grade.context import CONTEXT
from lumbargrade.grade.recipe import NETWORK_NAMES
from lumbargrade.localise import JUNCTION
from lumbargrade.models import ModelBundle, load_bundle
from lumbargrade.train.backbone import BUILT_IN
from lumbargrade.train.config import TrainConfig


@dataclass(frozen=True, slots=True)
class TakenNetworks:
    """Networks of other models.

    Attributes:
        contents: files to keep as they are, by the network's name. calibrations: of the conditions that these networks grade.
        start: files of networks to go on from, by name; a network that is not among them begins anew.
        kept_from, started_from: sha256 of the models' manifests; None where nothing is taken.
    """

    contents: Mapping[str, bytes]
    calibrations: dict[str, dict[str, float]]
    start: Mapping[str, bytes]
    kept_from: str | None
    started_from: str | None

    @classmethod
    def read(cls, models: Path | None, config: TrainConfig, start_from: Path | None) -> "TakenNetworks":
        """The networks that a run keeps, and those that it goes on from unless it is to begin anew: of models in folders, or of the one
        that ships.

        Graders are kept with their calibrations, unless what hears them together is another than before: it speaks the last word.

        Raises:
            ModelFileError: a file is missing or does not match, or a model has no such network, or several members. The networks for the
                context and for the junction may be missing.
        """
        kept = config.kept
        begin_anew = {JUNCTION, *(() if config.reader == BUILT_IN else (*NETWORK_NAMES.values(), CONTEXT))}
        start = None if config.from_scratch else load_bundle(start_from)
        bundle = load_bundle(models) if kept else None
        networks = _networks(bundle, kept) if bundle else {}
        had_context = bundle is not None and CONTEXT in bundle.members[0].contents
        has_same = had_context == (CONTEXT in networks) and CONTEXT not in config.networks
        graded = [condition.value for condition, name in NETWORK_NAMES.items() if name in kept and has_same]
        stored = bundle.members[0].calibration if bundle else {}
        calibrations = {name: values for name, values in stored.items() if _condition_of(name) in graded}
        return cls(
            networks,
            calibrations,
            _networks(start, [name for name in config.networks if name not in begin_anew]) if start else {},
            bundle.sha256 if bundle else None,
            start.sha256 if start else None,
        )

    def among(self, fitted: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        """All calibrations: those that were fitted, and in their place those of the conditions whose networks were taken."""
        kept = {_condition_of(name) for name in self.calibrations}
        return {name: values for name, values in fitted.items() if _condition_of(name) not in kept} | self.calibrations

    def write(self, files: Sequence[Mapping[str, str]], weights: Path) -> None:
        """Put the networks among each member's; ``files`` are the members' file names by network."""
        for names in files:
            for network, content in self.contents.items():
                path = weights / names[network]
                if not path.is_file():
                    partial = weights / f"{names[network]}.partial"
                    partial.write_bytes(content)
                    partial.replace(path)

    def as_record(self) -> dict[str, Any]:
        """For ``plan.json`` and ``run.json``."""
        return {"networks": sorted(self.contents), "kept_from": self.kept_from, "started_from": self.started_from}


def _condition_of(calibration: str) -> str:
    return calibration.partition(":")[0]


def _networks(bundle: ModelBundle, names: Sequence[str]) -> dict[str, bytes]:
    if len(bundle.members) != 1:
        raise ModelFileError(
            f"the model {bundle.name!r} has {len(bundle.members)} members; networks can be taken from one with a single one"
        )
    (member,) = bundle.members
    absent = [name for name in names if name not in member.contents and name not in (CONTEXT, JUNCTION)]
    if absent:
        raise ModelFileError(f"the model {bundle.name!r} has no network {', '.join(absent)} that could be taken from it")
    return {name: member.contents[name] for name in names if name in member.contents}
