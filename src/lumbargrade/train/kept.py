"""Networks that a run does not train but takes from another model, so that what it leaves is a whole model all the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lumbargrade.errors import ModelFileError
from lumbargrade.grade.recipe import NETWORK_NAMES
from lumbargrade.models import load_bundle


@dataclass(frozen=True, slots=True)
class KeptNetworks:
    """What is taken from another model.

    Attributes:
        contents: files by the network's name. calibrations: of the conditions that these networks grade.
        sha256: of the model's manifest; None where nothing is taken.
    """

    contents: Mapping[str, bytes]
    calibrations: dict[str, dict[str, float]]
    sha256: str | None

    @classmethod
    def read(cls, folder: Path | None, names: Sequence[str]) -> "KeptNetworks":
        """Some networks of the model in a folder, or of the one that ships.

        Raises:
            ModelFileError: a file is missing or does not match, or the model has no such network, or several members.
        """
        if not names:
            return cls({}, {}, None)
        bundle = load_bundle(folder)
        if len(bundle.members) != 1:
            raise ModelFileError(
                f"the model {bundle.name!r} has {len(bundle.members)} members; networks can be taken from one with a single one"
            )
        (member,) = bundle.members
        absent = [name for name in names if name not in member.contents]
        if absent:
            raise ModelFileError(f"the model {bundle.name!r} has no network {', '.join(absent)} that could be taken from it")
        graded = [condition.value for condition, name in NETWORK_NAMES.items() if name in names]
        calibrations = {name: values for name, values in member.calibration.items() if name in graded}
        return cls({name: member.contents[name] for name in names}, calibrations, bundle.sha256)

    def write(self, files: Sequence[Mapping[str, str]], weights: Path) -> None:
        """Put the networks among each member's; ``files`` are the members' file names by network."""
        for names in files:
            for network, content in self.contents.items():
                partial = weights / f"{names[network]}.partial"
                partial.write_bytes(content)
                partial.replace(weights / names[network])
