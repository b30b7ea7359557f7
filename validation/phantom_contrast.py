"""Whether phantom pictures are as bright and as grainy as real ones: tissue ratios, spread within tissues, power spectra.

Real: SPIDER (van der Graaf et al. 2024, doi 10.1038/s41597-024-03090-w, CC BY 4.0), patients with even number.

* T2: SPACE slices that show the canal, with their masks.
* T1, and T2 turbo spin echo: mid-sagittal pictures of the patients who also have SPACE masks. The masks are carried over without a hand:
  of a patient's SPACE slices the one whose gradient image correlates best with that of the T2 picture, at the displacement where it does;
  T1 and T2 pictures of a patient share their grid. Pictures whose correlation stays under 0.25 are left out.
* Spectra: all mid-sagittal T1 and T2 pictures.

Phantom: one of the middle five sagittal slices of ``--patients`` patients (physics), with masks from the distance fields; once as the
protocol takes it, once, for the SPACE slices, as those were taken (0.9 mm thick, pixels of 0.47 mm). Of SPIDER and of the phantom count
the slices that show 250 mm2 of disc, 1500 mm2 of vertebra and 500 mm2 of canal.

Masks are eroded by 1.4 mm. A quantity is the ratio of two tissues' medians or a tissue's robust coefficient of variation (1.4826 MAD /
median); pictures whose source cut a tissue off at white lack that tissue. The figure is the share of SPIDER slices inside the phantom's
5-95 % band. A spectrum is the radially averaged power of a Hann window of 180 mm, relative to the sum over 0.02-0.40 cycles/mm, after the
brightest twentieth of each picture is cut off, as it is in most of SPIDER's (they are stored as they were windowed for display); the
figure is the share of the frequencies at which SPIDER's median lies in the phantom's 5-95 % band.

    python validation/phantom_contrast.py [--patients 150] [--spider ../shared/real/spider]
"""

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lumbargrade.phantom.acquisition import BRIGHTEST, Frame, sample_acquisition
from lumbargrade.phantom.anatomy import sample_anatomy
from lumbargrade.phantom.contrast import Contrast, sample_signals
from lumbargrade.phantom.kspace import acquire
from lumbargrade.phantom.mr import Sequence as PulseSequence
from lumbargrade.phantom.mr import Weighting
from lumbargrade.phantom.numbering import LUMBAR_DISCS
from lumbargrade.phantom.person import AnatomyConfig
from lumbargrade.phantom.protocol import ProtocolConfig, plan_study
from lumbargrade.phantom.render import Plane, render_slice
from lumbargrade.phantom.scanner import Scanner, sample_scanner, sample_sequence, sample_space
from lumbargrade.phantom.scene import Scene, build_scene
from lumbargrade.phantom.sdf import distances
from lumbargrade.phantom.shapes.columns import ARCH, BODY, DISC, DISC_INDEX, SAC

Picture = NDArray[np.float32]
Masks = Mapping[str, NDArray[np.bool_]]
_EROSION_MM, _WINDOW_MM = 1.4, 180.0
_LEAST_MM2 = {"disc": 250.0, "body": 1500.0, "canal": 500.0}
_LEAST_CORRELATION = 0.25
_CUT_OFF, _WHITE_PERCENTILE = 0.05, 95.0
_SPACE_PIXEL_MM, _SPACE_MM = 0.46875, 0.9
_EDGES_PER_MM = np.geomspace(0.02, 0.40, 25)
_TARGET = 0.90
_RATIOS = (("disc", "body"), ("canal", "body"), ("disc", "canal"))


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """A mid-sagittal picture with square pixels and, where known, where its tissues are; ``white`` is the most that it can store."""

    picture: Picture
    pixel_mm: float
    masks: Masks | None
    white: float = 255.0


def quantities(shown: Slice) -> dict[str, float]:
    """Ratios of medians and spread within tissues; a tissue of which a twentieth is cut off at white is left out."""
    assert shown.masks is not None
    values = {tissue: shown.picture[mask] for tissue, mask in shown.masks.items()}
    values = {tissue: each for tissue, each in values.items() if np.mean(each >= shown.white) < _CUT_OFF}
    median = {tissue: max(float(np.median(each)), 1e-6) for tissue, each in values.items()}
    found = {f"{one} : {other}": median[one] / median[other] for one, other in _RATIOS if one in median and other in median}
    for tissue, each in values.items():
        found[f"spread in {tissue}"] = 1.4826 * float(np.median(np.abs(each - median[tissue]))) / median[tissue]
    return found


def spectrum(shown: Slice) -> NDArray[np.float64]:
    """(bins,) relative power of the picture's middle."""
    side = min(round(_WINDOW_MM / shown.pixel_mm), *shown.picture.shape)
    top, left = ((extent - side) // 2 for extent in shown.picture.shape)
    crop = np.minimum(shown.picture, np.percentile(shown.picture, _WHITE_PERCENTILE))[top : top + side, left : left + side].astype(
        np.float64
    )
    hann = np.hanning(side)
    power = np.abs(np.fft.fft2((crop - crop.mean()) * hann[:, None] * hann[None, :])) ** 2
    frequency = np.fft.fftfreq(side, shown.pixel_mm)
    radius = np.hypot(frequency[:, None], frequency[None, :]).ravel()
    total, _ = np.histogram(radius, _EDGES_PER_MM, weights=power.ravel())
    count, _ = np.histogram(radius, _EDGES_PER_MM)
    return np.asarray(total / np.maximum(count, 1) / total.sum())


def eroded(mask: NDArray[np.bool_], pixel_mm: float) -> NDArray[np.bool_]:
    """Without what lies within the erosion of its border, in steps of a pixel along rows and columns."""
    for _ in range(round(_EROSION_MM / pixel_mm)):
        padded = np.pad(mask, 1)
        mask = mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask


def counts(shown: Slice) -> bool:
    """Whether a slice has masks and shows enough of every tissue."""
    return shown.masks is not None and all(mask.sum() * shown.pixel_mm**2 >= _LEAST_MM2[tissue] for tissue, mask in shown.masks.items())


def read(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def space_slices(spider: Path) -> dict[str, list[Slice]]:
    """By patient, every SPACE slice with its masks (eroded)."""
    slices: dict[str, list[Slice]] = {}
    for path in sorted((spider / "space" / "images").glob("*.png")):
        label = read(spider / "space" / "masks" / path.name)
        masks = {tissue: eroded(label == value, _SPACE_PIXEL_MM) for value, tissue in enumerate(("disc", "body", "canal"), start=1)}
        slices.setdefault(path.name.split("_")[0], []).append(Slice(read(path).astype(np.float32), _SPACE_PIXEL_MM, masks))
    return slices


def midsagittal_slices(spider: Path, weighting: Weighting) -> dict[str, Slice]:
    """By patient, without masks."""
    with (spider / "midsagittal.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["weighting"] == weighting.value]
    return {
        row["patient"]: Slice(read(spider / "midsagittal" / row["file"]).astype(np.float32), float(row["pixel_spacing_mm"]), None)
        for row in rows
    }


def resampled(picture: NDArray[np.float32], pixel_mm: float, onto_mm: float, side: int) -> Picture:
    """The picture on a square grid about its centre, by the nearest pixel; zero outside."""
    out = np.zeros((side, side), np.float32)
    index = []
    for extent in picture.shape:
        at = np.rint((np.arange(side) - (side - 1) / 2) * onto_mm / pixel_mm + (extent - 1) / 2).astype(int)
        index.append((np.flatnonzero((at >= 0) & (at < extent)), at[(at >= 0) & (at < extent)]))
    (rows, from_rows), (columns, from_columns) = index
    out[np.ix_(rows, columns)] = picture[np.ix_(from_rows, from_columns)]
    return out


def gradient(picture: Picture) -> Picture:
    smooth = picture
    for axis in (0, 1):
        smooth = np.asarray((np.roll(smooth, 1, axis) + 2 * smooth + np.roll(smooth, -1, axis)) / 4, np.float32)
    size = np.hypot(*np.gradient(smooth))
    size = np.minimum(size, np.percentile(size, 99))
    return np.asarray((size - size.mean()) / size.std(), np.float32)


def with_masks_carried_over(target: Slice, guide: Slice, candidates: Sequence[Slice]) -> Slice | None:
    """``target`` with the masks of the candidate that fits ``guide``, a picture on the target's grid, best; None where none fits."""
    side = guide.picture.shape[0]
    ahead = np.conj(np.fft.fft2(gradient(guide.picture)))
    best, best_fit, best_shift = None, _LEAST_CORRELATION, (0, 0)
    for each in candidates:
        moving = gradient(resampled(each.picture, each.pixel_mm, guide.pixel_mm, side))
        fit = np.fft.ifft2(np.fft.fft2(moving) * ahead).real / side**2
        down, right = np.unravel_index(int(np.argmax(fit)), fit.shape)
        if fit[down, right] > best_fit:
            best, best_fit, best_shift = each, float(fit[down, right]), (-int(down), -int(right))
    if best is None or best.masks is None:
        return None
    masks = {
        tissue: np.roll(resampled(mask.astype(np.float32), best.pixel_mm, guide.pixel_mm, side), best_shift, (0, 1)) > 0
        for tissue, mask in best.masks.items()
    }
    shown = replace(target, masks=masks)
    return shown if counts(shown) else None


def phantom_masks(scene: Scene, plane: Plane) -> Masks:
    """Lumbar discs, vertebrae above the sacrum with their processes (as SPIDER's masks have them) and the sac, by distance fields."""
    column, row = np.meshgrid(np.arange(plane.columns), np.arange(plane.rows))
    points = plane.affine.to_lps(np.stack([column.ravel(), row.ravel()], 1))
    fields = distances(scene.geometry, points)
    lowest = LUMBAR_DISCS[-1]
    skeleton = scene.skeleton
    above_sacrum = (points - skeleton.disc_origin[lowest]) @ skeleton.disc_axes[lowest, 2] > 0
    inside = {
        "disc": (fields[:, DISC] < -_EROSION_MM) & (fields[:, DISC_INDEX] <= lowest),
        "body": (np.minimum(fields[:, BODY], fields[:, ARCH]) < -_EROSION_MM) & above_sacrum,
        "canal": fields[:, SAC] < -_EROSION_MM,
    }
    return {tissue: mask.reshape(plane.rows, plane.columns) for tissue, mask in inside.items()}


def phantom_slices(seed: int) -> tuple[dict[Weighting, Slice], Slice]:
    """One of the middle five sagittal slices of a patient, T2 and T1, as make_patient's ``physics`` takes it, and as SPACE."""
    anatomy_rng, scene_rng, protocol_rng, rng = (np.random.default_rng(each) for each in np.random.SeedSequence((seed, 7)).spawn(4))
    scene = build_scene(sample_anatomy(anatomy_rng, AnatomyConfig()), scene_rng)
    scanner = sample_scanner(Contrast.PHYSICS, rng)
    scan = plan_study(scene.skeleton, scanner, ProtocolConfig(stir=0.0, own_t1_planes=0.0), protocol_rng)[0]
    plane = scan.planes[len(scan.planes) // 2 + int(rng.integers(-2, 3))]
    sequences = tuple(sample_sequence(scanner, weighting, False, Contrast.PHYSICS, rng) for weighting in scan.weightings)
    taken = take(scene, scanner, plane, sequences, rng)
    thin = replace(plane.affine, row_spacing_mm=_SPACE_PIXEL_MM, column_spacing_mm=_SPACE_PIXEL_MM)
    rows, columns = (
        round(count * spacing / _SPACE_PIXEL_MM)
        for count, spacing in ((plane.rows, plane.affine.row_spacing_mm), (plane.columns, plane.affine.column_spacing_mm))
    )
    (space,) = take(scene, scanner, Plane(thin, rows, columns, _SPACE_MM), (sample_space(scanner, rng),), rng)
    return dict(zip(scan.weightings, taken, strict=True)), space


def take(scene: Scene, scanner: Scanner, plane: Plane, sequences: Sequence[PulseSequence], rng: np.random.Generator) -> list[Slice]:
    """One slice in each sequence, with its masks."""
    rendered = render_slice(scene, plane, sample_signals(tuple(sequences), scene.anatomy, Contrast.PHYSICS, rng))
    masks, pixel_mm = phantom_masks(scene, plane), plane.affine.column_spacing_mm
    frame = Frame(True, pixel_mm, float(np.flatnonzero(masks["body"].any(0)).min()))
    slices = []
    for index, sequence in enumerate(sequences):
        settings = sample_acquisition(scanner, sequence, frame, Contrast.PHYSICS, rng)
        water, fat, pulsating = (part[index][None] for part in rendered)
        slices.append(Slice(acquire(water, fat, pulsating, settings, rng)[0], pixel_mm, masks, BRIGHTEST))
    return slices


def compare_quantities(name: str, real: Sequence[Slice], phantom: Sequence[Slice]) -> bool:
    """Print a row for each quantity; whether all reach the target."""
    ours, theirs = [quantities(each) for each in phantom], [quantities(each) for each in real]
    passed = True
    for quantity in max(ours, key=len):
        low, middle, high = np.percentile([each[quantity] for each in ours if quantity in each], (5, 50, 95))
        found = np.array([each[quantity] for each in theirs if quantity in each])
        share = float(np.mean((found >= low) & (found <= high)))
        five, half, most = np.percentile(found, (5, 50, 95))
        band, reality = f"{low:.2f} / {middle:.2f} / {high:.2f}", f"{five:.2f} / {half:.2f} / {most:.2f}"
        row(f"{name}, {quantity}", band, reality, f"{share:.0%} of {len(found)} slices", f"{_TARGET:.0%}", share >= _TARGET)
        passed &= share >= _TARGET
    return passed


def compare_spectra(name: str, real: Sequence[Slice], phantom: Sequence[Slice], detailed: bool) -> bool:
    ours, theirs = np.array([spectrum(each) for each in phantom]), np.array([spectrum(each) for each in real])
    low, high = np.percentile(ours, (5, 95), 0)
    middle = np.median(theirs, 0)
    inside = (middle >= low) & (middle <= high)
    share = float(inside.mean())
    row(f"{name}, power spectrum", "", "", f"{share:.0%} of {len(middle)} frequencies", f"{_TARGET:.0%}", share >= _TARGET)
    if detailed:
        for bin_, edge in enumerate(_EDGES_PER_MM[:-1]):
            band = f"{low[bin_]:.1e} / {np.median(ours[:, bin_]):.1e} / {high[bin_]:.1e}"
            row(f"{name}, {edge:.3f} per mm", band, f"{middle[bin_]:.1e}", "", "", bool(inside[bin_]))
    return share >= _TARGET


def row(what: str, band: str, reality: str, figure: str, target: str, passed: bool) -> None:
    print(f"| {what} | {band} | {reality} | {figure} | {target} | {'pass' if passed else 'FAIL'} |")  # noqa: T201


def main() -> int:
    """Print the table; 1 where something falls short."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--patients", type=int, default=150)
    parser.add_argument("--spider", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "real" / "spider")
    parser.add_argument("--spectra", action="store_true", help="print every frequency")
    options = parser.parse_args()
    if not (options.spider / "midsagittal.csv").exists():
        parser.error(f"no SPIDER at {options.spider}")
    patients = [phantom_slices(seed) for seed in range(options.patients)]
    phantom = {
        weighting: [each[weighting] for each, _ in patients if counts(each[weighting])] for weighting in (Weighting.T2, Weighting.T1)
    }
    as_space = [each for _, each in patients if counts(each)]
    space = space_slices(options.spider)
    middle = {weighting: midsagittal_slices(options.spider, weighting) for weighting in phantom}
    guides = middle[Weighting.T2]
    shown = {
        weighting: [
            found
            for patient, target in middle[weighting].items()
            if patient in space and (found := with_masks_carried_over(target, guides[patient], space[patient]))
        ]
        for weighting in phantom
    }
    in_space = [each for slices in space.values() for each in slices if counts(each)]
    print("| quantity | phantom 5 / 50 / 95 % | SPIDER 5 / 50 / 95 % | inside the phantom's band | target | |\n|---|---|---|---|---|---|")  # noqa: T201
    passed = [
        compare_quantities("T2 SPACE", in_space, as_space),
        compare_quantities("T2 mid-sagittal", shown[Weighting.T2], phantom[Weighting.T2]),
        compare_quantities("T1 mid-sagittal", shown[Weighting.T1], phantom[Weighting.T1]),
        *(
            compare_spectra(f"{weighting.value} mid-sagittal", list(middle[weighting].values()), slices, options.spectra)
            for weighting, slices in phantom.items()
        ),
    ]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
