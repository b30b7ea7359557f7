"""What a series is for, told from its direction, its times and its description, with the reason in words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from lumbargrade.geometry.orientation import AnatomicalPlane, angle_between_deg
from lumbargrade.study import SeriesTiming, Stack
from lumbargrade.terms import SeriesRole

MIN_SLICES = 3
"""Fewer slices are a localiser or a key image."""
MAX_STACKS = 32
"""More directions are slices round an axis or a header that was made up; each would be looked at as a stack of its own."""

_ORTHOGONAL_DEG = 70.0  # discs tilt up to 45 degrees against each other, the planes of a localiser stand at 90
_STIR_MS = (80.0, 350.0)  # inversion times that null fat, 1 to 3 T; T1 FLAIR uses 700 ms and more
_T2_ECHO_MS, _MYELOGRAM_ECHO_MS = 60.0, 350.0
_T1_ECHO_MS, _T1_REPETITION_MS = 35.0, 1300.0
_T1_FLAIR_INVERSION_MS = 500.0

# "t1" or "t2" as a word of its own or glued to the words that protocols glue it to; not the 2 of PAT2 or the first digit of T12.
_CONTRAST_WORD = re.compile(
    r"(?:(?<![a-z0-9])|(?<=sag)|(?<=sagittal)|(?<=ax)|(?<=axial)|(?<=tra)|(?<=tse)|(?<=fse)|(?<=s)(?<![a-z0-9]s))t([12])"
    r"(?=$|[^a-z0-9]|w|tse|fse|frfse|se|flair|fs|stir|tirm|spair|spir|sag|ax|tra|space|haste|dixon|blade|propeller)"
)
_VERTEBRAE = re.compile(r"(?<![a-z0-9])[ctls]\d{1,2}\s*[-/]\s*[ctls]?\d{1,2}(?![a-z0-9])")
_STIR = re.compile(r"stir|tirm|(?<![a-z])tir(?![a-z])")
_LOCALISER = re.compile(r"(?<![a-z])(loc|localis\w*|localiz\w*|scout|survey|topogram|3[- ]?plane)(?![a-z])")
_FAT_SUPPRESSED = re.compile(
    r"(?<![a-z])(fs|sfs|fatsat|fat[-_ ]?sat|spair|spir|fat[-_ ]?supp\w*)(?![a-z])|(?:(?<=t[12])|(?<=tse)|(?<=fse))fs"
)
_ENHANCED = re.compile(r"(?<![a-z])(gd|gad\w*|post|contrast|enhanced|ce|km)(?![a-z])|\+ ?c(?![a-z])|c\+(?! ?[a-z])")
_UNENHANCED = re.compile(
    r"(?<![a-z])(w/?o|without|no|non|pre|before|ohne|vor|sans)[-_ /]*(iv[-_ ]*)?(gd|gad\w*|contrast\w*|ce|km|\+?c)(?![a-z])|post[-_ ]?op\w*"
)
_NOT_ANATOMY = re.compile(r"(?<![a-z])(dwi|adc|diff\w*|trace|dti|ep2d\w*|myelo\w*|mra|angio\w*|perf\w*|flow|map|sub|subtr\w*)(?![a-z])")
_UNUSED = (("localiser", _LOCALISER), ("diffusion, angiography or a computed map", _NOT_ANATOMY))
_UNUSED_TYPES = (
    ("localiser", {"LOCALIZER"}),
    ("projection", {"PROJECTION IMAGE", "MIP", "MAX_IP", "MAXIMUM", "MINIP", "MIN_IP", "MINIMUM"}),
    ("subtraction", {"SUB", "SUBTRACT", "SUBTRACTION"}),
    ("phase", {"P", "PHASE", "PHASE MAP", "PHASE_MAP"}),
    ("diffusion or a computed map", {"DIFFUSION", "ADC", "TRACEW", "FA", "T1 MAP", "T1_MAP", "T2 MAP", "T2_MAP", "T2_STAR MAP"}),
)
"""Values of ImageType from the third on, of vendors and of Enhanced MR (PS3.3 C.8.13.3.1.1 and C.8.16.1)."""
_GRADIENT_ECHO = re.compile(r"t2 ?\*|t2[-_ ]?star|(?<![a-z])(medic|merge|gre|flash|ffe|fl2d|fl3d|me2d)(?![a-z])")


@dataclass(frozen=True, slots=True)
class SeriesClues:
    """What the header says about a series beyond its geometry; empty or None where it says nothing."""

    description: str = ""
    protocol: str = ""
    scan_options: str = ""
    modality: str = ""
    timing: SeriesTiming = field(default_factory=SeriesTiming)
    image_type: tuple[str, ...] = ()
    body_part: str = ""
    has_contrast_agent: bool = False
    is_capture: bool = False

    @property
    def text(self) -> str:
        return _VERTEBRAE.sub(" ", f"{self.description} | {self.protocol}".lower())


class _Weighting(Enum):
    T1 = "T1"
    T2 = "T2"
    STIR = "STIR"
    NEITHER = "neither"


def assign_role(clues: SeriesClues, stacks: Sequence[Stack]) -> tuple[SeriesRole, str]:
    """The role and one line that says why, such as ``sagittal by orientation; T1: TE 10 ms, TR 560 ms``."""
    unfit = _unfit(clues, stacks)
    if unfit:
        return SeriesRole.OTHER, unfit
    plane = _main_plane(stacks)
    facing = f"{plane.value} by orientation"
    if plane is AnatomicalPlane.CORONAL:
        return SeriesRole.OTHER, f"{facing}; coronal series are not used"
    weighting, why = _weighting(clues)
    role, note = _role(plane, weighting, clues)
    return role, "; ".join(part for part in (facing, why, note) if part)


def is_enhanced(clues: SeriesClues) -> bool:
    """Whether a contrast agent was given, by the header, or by the description: the protocol's name often is the whole examination's."""
    words = _UNENHANCED.sub(" ", (clues.description or clues.protocol).lower())
    return clues.has_contrast_agent or bool(_ENHANCED.search(words))


def is_fat_suppressed(clues: SeriesClues) -> bool:
    """Whether fat was made dark, by the description or the scan options."""
    return bool(_FAT_SUPPRESSED.search(clues.text)) or bool({"FS", "SFS"} & set(clues.scan_options.upper().split()))


def _unfit(clues: SeriesClues, stacks: Sequence[Stack]) -> str:
    """Why the series cannot have a role whatever its contrast, empty where it may."""
    slices = sum(len(stack.instances) for stack in stacks)
    word = next((word for word, pattern in _UNUSED if pattern.search(clues.text)), None)
    if clues.modality not in ("", "MR"):
        return "modality is not MR"
    if len(stacks) > MAX_STACKS:
        return f"{len(stacks)} orientations in {slices} slices: no stack of parallel ones"
    if _has_orthogonal_stacks(stacks):
        return f"{len(stacks)} orthogonal orientations in {slices} slices: a localiser"
    if clues.is_capture:
        return "a secondary capture, no picture of a scanner"
    kind = next((kind for kind, values in _UNUSED_TYPES if values & set(clues.image_type)), None)
    if kind:
        return f"ImageType says {kind}: no anatomical series"
    if word:
        return f"description says {word}: no anatomical series"  # in words of ours, since a name may be glued to its own
    if slices < MIN_SLICES:
        return f"{slices} slices; at least {MIN_SLICES} are needed"
    return ""


def _has_orthogonal_stacks(stacks: Sequence[Stack]) -> bool:
    normals = [stack.normal for stack in stacks]
    return any(angle_between_deg(first, second) > _ORTHOGONAL_DEG for i, first in enumerate(normals) for second in normals[:i])


def _main_plane(stacks: Sequence[Stack]) -> AnatomicalPlane:
    """The plane of most slices: a steep L5/S1 block of an axial series may lie nearer to coronal."""
    slices = {plane: sum(len(stack.instances) for stack in stacks if stack.plane is plane) for plane in AnatomicalPlane}
    return max(AnatomicalPlane, key=lambda plane: slices[plane])


def _weighting(clues: SeriesClues) -> tuple[_Weighting, str]:
    """Times first, since descriptions are typed by people; words where times are missing or undecided."""
    if _GRADIENT_ECHO.search(clues.text):
        return _Weighting.NEITHER, "description says gradient echo"
    by_times = _weighting_by_times(clues.timing)
    if by_times is not None:
        return by_times, f"{by_times.value}: {_times(clues.timing)}"
    for text in (clues.description, clues.protocol):
        by_words = _weighting_by_words(text)
        if by_words is not None:
            return by_words, f"{by_words.value}: description says so"  # and is not quoted: people type names into it
    known = _times(clues.timing) or "no times"
    return _Weighting.NEITHER, f"{known} and no description that tell T1 from T2"


def _weighting_by_times(timing: SeriesTiming) -> _Weighting | None:
    echo, repetition, inversion = timing.echo_time_ms, timing.repetition_time_ms, timing.inversion_time_ms
    if inversion is not None and _STIR_MS[0] <= inversion <= _STIR_MS[1]:
        return _Weighting.STIR
    if echo is None or echo <= 0:
        return None
    if echo >= _T2_ECHO_MS:
        return _Weighting.T2 if echo <= _MYELOGRAM_ECHO_MS else None
    if echo <= _T1_ECHO_MS and inversion is not None and inversion >= _T1_FLAIR_INVERSION_MS:
        return _Weighting.T1
    if echo <= _T1_ECHO_MS and repetition is not None and 0 < repetition <= _T1_REPETITION_MS:
        return _Weighting.T1
    return None


def _weighting_by_words(text: str) -> _Weighting | None:
    words = _VERTEBRAE.sub(" ", text.lower())
    if _STIR.search(words):
        return _Weighting.STIR
    found = set(_CONTRAST_WORD.findall(words))
    return {"1": _Weighting.T1, "2": _Weighting.T2}[found.pop()] if len(found) == 1 else None


def _role(plane: AnatomicalPlane, weighting: _Weighting, clues: SeriesClues) -> tuple[SeriesRole, str]:
    suppressed, enhanced = is_fat_suppressed(clues), is_enhanced(clues)
    if plane is AnatomicalPlane.AXIAL:
        if weighting is _Weighting.T2:
            return SeriesRole.AXIAL_T2, ""
        extra = "contrast-enhanced, " * enhanced + "fat-suppressed, " * suppressed
        return SeriesRole.OTHER, f"{extra}only axial T2 is used" if weighting is not _Weighting.NEITHER else ""
    if weighting is _Weighting.T1:
        if suppressed:
            return SeriesRole.OTHER, "fat-suppressed: the foramina need bright fat"
        return SeriesRole.SAGITTAL_T1, "contrast-enhanced" if enhanced else ""
    if weighting in (_Weighting.T2, _Weighting.STIR):
        return SeriesRole.SAGITTAL_T2, ""
    return SeriesRole.OTHER, ""


def _times(timing: SeriesTiming) -> str:
    values = (("TE", timing.echo_time_ms), ("TR", timing.repetition_time_ms), ("TI", timing.inversion_time_ms))
    return ", ".join(f"{name} {value:g} ms" for name, value in values if value is not None)
