"""A whole synthetic patient: anatomy, pictures as a ``Study``, the truth of all findings, and where in which picture each is seen."""

import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.geometry.orientation import AnatomicalPlane, angle_between_deg, group_by_orientation
from lumbargrade.phantom.acquisition import Acquisition, Frame, Images, sample_acquisition
from lumbargrade.phantom.anatomy import Anatomy, sample_anatomy
from lumbargrade.phantom.contrast import Contrast, sample_signals
from lumbargrade.phantom.header import scanner_settings
from lumbargrade.phantom.kspace import acquire
from lumbargrade.phantom.measure import FindingTruth, measure_findings
from lumbargrade.phantom.mr import Sequence, Weighting
from lumbargrade.phantom.numbering import LUMBAR_DISCS
from lumbargrade.phantom.person import AnatomyConfig
from lumbargrade.phantom.pose import Pose, rotation
from lumbargrade.phantom.protocol import ProtocolConfig, Scan, plan_study
from lumbargrade.phantom.readers import LabelSource, Reading, read_study
from lumbargrade.phantom.render import render_slice
from lumbargrade.phantom.scanner import Scanner, sample_scanner, sample_sequence
from lumbargrade.phantom.scene import Scene, build_scene
from lumbargrade.phantom.skeleton import Skeleton
from lumbargrade.phantom.spine import SpinePlace, place_spine
from lumbargrade.study import Instance, Series, SeriesTiming, Stack, Study
from lumbargrade.terms import LEVELS, Condition, Finding, SeriesRole

_ROLE_OF_LABEL = {
    Condition.SPINAL_CANAL_STENOSIS: SeriesRole.SAGITTAL_T2,
    Condition.NEURAL_FORAMINAL_NARROWING: SeriesRole.SAGITTAL_T1,
    Condition.SUBARTICULAR_STENOSIS: SeriesRole.AXIAL_T2,
}
"""In which series the competition's readers marked each condition."""

_SLACK_MM = 1.0
_MM_PER_DEGREE = 0.1
"""Among axial slices near a site one that is level with the disc is preferred to one that is nearer: a degree costs as much as 0.1 mm."""

_SERIES_IDS = 3_999_999_979
"""Series ids are drawn below this prime, so that steps from one to the next never meet within a study."""


@dataclass(frozen=True, slots=True)
class PhantomConfig:
    """What kind of patients and pictures. ``clutter`` scales what lies around the spine and inside the bones."""

    anatomy: AnatomyConfig = field(default_factory=AnatomyConfig)
    contrast: Contrast = Contrast.PHYSICS
    protocol: ProtocolConfig = field(default_factory=ProtocolConfig)
    clutter: float = 1.0
    labels: LabelSource = LabelSource.READER


_PHYSICS = PhantomConfig()
_RANDOMISED = PhantomConfig(
    AnatomyConfig(spread=1.5, lesions=1.5, deformation_mm=1.2),
    Contrast.RANDOMISED,
    ProtocolConfig(missing_series=0.05, tilt_error_deg=5.0),
    clutter=1.5,
)


def _many_for_levels(config: PhantomConfig) -> PhantomConfig:
    """Studies that cost a third and teach a localiser as much: few sagittal slices alone, and rare spines twice as often."""
    return replace(config, anatomy=replace(config.anatomy, variants=2.0), protocol=replace(config.protocol, few_sagittal=True))


_HELDOUT_A = PhantomConfig(AnatomyConfig(spread=1.2, deformation_mm=2.5, deformation_wavelength_mm=(45.0, 90.0)), Contrast.HELDOUT_A)
_HELDOUT_B = PhantomConfig(AnatomyConfig(spread=1.6, deformation_mm=2.0, deformation_wavelength_mm=(60.0, 110.0)), Contrast.HELDOUT_B)
CONFIGS: Mapping[str, tuple[PhantomConfig, ...]] = {
    "physics": (_PHYSICS,),
    "randomised": (_RANDOMISED,),
    "mixed": (_PHYSICS, _RANDOMISED),
    "levels": (_many_for_levels(_PHYSICS), _many_for_levels(_RANDOMISED)),
    "heldout-a": (_HELDOUT_A,),
    "heldout-b": (_HELDOUT_B,),
}
"""The named configurations; studies take turns where a name stands for several. Those called ``heldout`` are for testing alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmark:
    """Where a finding is seen: the nearest slice of a series that reaches it, as the competition's readers mark it.

    Attributes:
        series_index: of ``Study.series``.
        point_lps_mm: (3,) the site itself in the coordinates of the series' headers, up to half a slice off the slice's plane.
    """

    series_index: int
    instance_number: int
    column_px: float
    row_px: float
    point_lps_mm: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Patient:
    """A synthetic patient.

    Attributes:
        truth: the 25 findings in the order of ``FINDINGS``.
        readings: what readers make of each of them.
        landmarks: by finding; absent where no series of the right kind reaches the site.
        spine: where discs and vertebrae lie at the beginning of the examination.
        moved_mm: for each series of the study the (3,) millimetres by which the patient has moved since.
    """

    study: Study
    truth: tuple[FindingTruth, ...]
    readings: tuple[Reading, ...]
    landmarks: Mapping[Finding, Landmark]
    anatomy: Anatomy
    spine: SpinePlace
    moved_mm: tuple[FloatArray, ...]


def make_patient(seed: int, config: PhantomConfig, workers: int = 1) -> Patient:
    """Draw a patient and scan them. The same seed and configuration give the same patient, whatever the number of ``workers`` (threads).

    Raises:
        ValueError: a negative seed.
    """
    if seed < 0:
        raise ValueError(f"a seed is at least 0, not {seed}")
    streams = [np.random.default_rng(sequence) for sequence in np.random.SeedSequence(seed).spawn(6)]
    anatomy_rng, scene_rng, protocol_rng, pose_rng, mr_rng, reader_rng = streams
    scene = build_scene(sample_anatomy(anatomy_rng, config.anatomy), scene_rng, config.clutter)
    pose = _sample_pose(pose_rng)
    scanner = sample_scanner(config.contrast, mr_rng)
    taken = []
    for scan in plan_study(scene.skeleton, scanner, config.protocol, protocol_rng):
        shots = take_series(scene, scan, scanner, config.contrast, mr_rng, workers)
        taken += [_TakenSeries(scan, scanner, *shot, pose.moved(_sample_motion(pose_rng))) for shot in shots]
    truth = measure_findings(scene)
    names = _Names(seed, config)
    study = Study(names.uid("study"), str(names.number), tuple(_to_series(each, index, names) for index, each in enumerate(taken)))
    landmarks = _find_landmarks(taken, truth, scene.skeleton)
    canals = np.stack([each.point_mm for each in truth if each.finding.condition is Condition.SPINAL_CANAL_STENOSIS])
    spine = place_spine(scene.skeleton, canals, pose)
    moved = tuple(each.pose.shift_mm - pose.shift_mm for each in taken)
    return Patient(study, truth, read_study(truth, reader_rng), landmarks, scene.anatomy, spine, moved)


@dataclass(frozen=True, slots=True, eq=False)
class _TakenSeries:
    """A series before it has names; ``pose`` is where the patient lay during it."""

    scan: Scan
    scanner: Scanner
    sequence: Sequence
    acquisition: Acquisition
    images: Images
    pose: Pose

    @property
    def role(self) -> SeriesRole:
        return self.scan.role(self.sequence.weighting)


@dataclass(frozen=True, slots=True)
class _Names:
    """Identifiers that follow from seed and configuration."""

    seed: int
    config: PhantomConfig

    def uid(self, of: str) -> str:
        """A UID derived from a UUID (PS3.5 B.2)."""
        return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'lumbargrade phantom {self.seed} {self.config} {of}').int}"

    @property
    def number(self) -> int:
        return int(self.uid("number")[5:]) % _SERIES_IDS

    def series_id(self, index: int) -> int:
        return (self.number + 1_234_567_891 * (index + 1)) % _SERIES_IDS


def _sample_pose(rng: np.random.Generator) -> Pose:
    """On the back, up to 6 degrees off straight, somewhere near the middle of the scanner."""
    return Pose(rotation(np.clip(rng.normal(0, 2.5, 3), -6, 6)), rng.normal((0, 0, 0), (12, 40, 60)))


def _sample_motion(rng: np.random.Generator) -> FloatArray:
    """(3,) millimetres that the patient has moved before a series; one in ten has moved as a patient does who changes position."""
    motion = rng.normal(0, 0.8, 3)
    if rng.random() < 0.1:
        motion *= rng.uniform(1, 4) / np.linalg.norm(motion)
    return np.asarray(motion)


def take_series(
    scene: Scene, scan: Scan, scanner: Scanner, contrast: Contrast, rng: np.random.Generator, workers: int
) -> list[tuple[Sequence, Acquisition, Images]]:
    """For each of the scan's series how it is taken, and its (slices, rows, columns) pictures."""
    is_axial = scan.plane is AnatomicalPlane.AXIAL
    sequences = [sample_sequence(scanner, weighting, is_axial, contrast, rng) for weighting in scan.weightings]
    signals = sample_signals(tuple(sequences), scene.anatomy, contrast, rng)
    with ThreadPoolExecutor(workers) as pool:
        rendered = np.stack(list(pool.map(lambda plane: render_slice(scene, plane, signals), scan.planes)))
    frame = Frame(not is_axial, scan.planes[0].affine.column_spacing_mm, _front_px(scene.skeleton, scan))
    shots = []
    for index, sequence in enumerate(sequences):
        acquisition = sample_acquisition(scanner, sequence, frame, contrast, rng)
        water, fat, pulsating = (rendered[:, part, index] for part in range(3))
        shots.append((sequence, acquisition, acquire(water, fat, pulsating, acquisition, rng, workers)))
    return shots


def _front_px(skeleton: Skeleton, scan: Scan) -> float:
    """Column of the foremost edge of the lumbar vertebrae in a sagittal picture."""
    bodies = slice(LUMBAR_DISCS[0], LUMBAR_DISCS[-1] + 2)
    front = skeleton.vertebra_origin[bodies] - skeleton.vertebra_axes[bodies, 1] * skeleton.anatomy.bones.body_depth[bodies, None] / 2
    return float(scan.planes[len(scan.planes) // 2].affine.to_px(front)[:, 0].min())


def _to_series(taken: _TakenSeries, index: int, names: _Names) -> Series:
    """The series as reading its files would give it."""
    scan = taken.scan
    instances = [
        Instance(names.uid(f"instance {index} {number}"), number, taken.pose.affine_to_scanner(plane.affine), image)
        for number, plane, image in zip(scan.instance_numbers, scan.planes, taken.images, strict=True)
    ]
    groups = group_by_orientation([instance.affine for instance in instances])
    stacks = tuple(Stack.ordered([instances[member] for member in group]) for group in groups)
    facing = "AX" if scan.plane is AnatomicalPlane.AXIAL else "SAG"
    timing = SeriesTiming(taken.sequence.echo_ms, taken.sequence.repetition_ms, taken.sequence.inversion_ms)
    weighting = taken.sequence.weighting
    description = f"{facing} {weighting.value}{'' if weighting is Weighting.STIR else ' TSE'}"
    settings = scanner_settings(taken.scanner, taken.sequence, taken.acquisition, scan.plane, scan.planes[0])
    series_id = str(names.series_id(index))
    return Series(names.uid(f"series {index}"), series_id, description, timing, taken.role, "made so", stacks, settings=settings)


def _find_landmarks(taken: list[_TakenSeries], truth: tuple[FindingTruth, ...], skeleton: Skeleton) -> dict[Finding, Landmark]:
    sites = skeleton.anatomy.deformation.to_space(np.stack([each.point_mm for each in truth]))
    found = {each.finding: _find_landmark(taken, each.finding, site, skeleton) for each, site in zip(truth, sites, strict=True)}
    return {finding: landmark for finding, landmark in found.items() if landmark is not None}


def _find_landmark(taken: list[_TakenSeries], finding: Finding, site_mm: FloatArray, skeleton: Skeleton) -> Landmark | None:
    """The slice that shows the site best, among those within half a spacing and a millimetre that have it in the picture."""
    disc_normal = skeleton.disc_axes[LUMBAR_DISCS[LEVELS.index(finding.level)], 2]
    best, best_cost = None, np.inf
    for index, series in enumerate(taken):
        if series.role is not _ROLE_OF_LABEL[finding.condition]:
            continue
        for number, plane in zip(series.scan.instance_numbers, series.scan.planes, strict=True):
            distance = abs(float(plane.affine.distances_mm(site_mm)[0]))
            column, row = plane.affine.to_px(site_mm)[0].tolist()
            in_picture = 0 <= column <= plane.columns - 1 and 0 <= row <= plane.rows - 1
            tilt = 0.0 if series.role.is_sagittal else angle_between_deg(plane.affine.normal, disc_normal)
            cost = distance + _MM_PER_DEGREE * tilt
            if in_picture and distance <= series.scan.spacing_mm / 2 + _SLACK_MM and cost < best_cost:
                best, best_cost = Landmark(index, number, column, row, series.pose.to_scanner(site_mm)), cost
    return best
