"""Nothing of a patient leaves the files: every text element of a study holds a word of its own, which no output of any command shows.

Damaged files are among them, so that what is said of errors is heard too, and folders and files of the series are named after the patient.
The name of the study's own folder is documented to appear, and identifiers are where ``--include-identifiers`` asks for them.
"""

import base64
import html
import io
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import EncapsulatedPDFStorage, generate_uid

from lumbargrade.cli import main
from lumbargrade.competition import LabelCoordinate, StudyLabels, write_coordinates, write_labels, write_series_roles
from lumbargrade.dicom import HeaderProfile, TransferSyntax, write_series
from lumbargrade.dicom.tolerance import tolerant
from lumbargrade.dicom.values import oid
from lumbargrade.phantom.patient import Patient
from lumbargrade.study import StudyGrades
from lumbargrade.terms import SeriesRole

NAME, IDENTIFIER, BORN, EXAMINED, ACCESSION = "Quizzelworth^Zebulón", "QXID90817Z", "19470613", "20190817", "QXACC55271"
SHOWN = {"quizzelworth", "zebulón", IDENTIFIER.lower(), BORN, EXAMINED, ACCESSION.lower()}
"""What ``--include-identifiers`` may show, and nothing else."""
OTHER_DATE, OTHER_TIME = "19530227", "081537.424217"
AGE = "043Y"
"""Too short to be looked for in pictures."""
FOLDER, FILE = "QXFOLDERNAME", "QXFILENAME"
"""What folders and files of the series are called."""
TEXTS = {"LO", "SH", "ST", "LT", "UT", "UC", "UR", "AE", "CS", "PN"}
NEEDED = {"SpecificCharacterSet", "Modality", "PhotometricInterpretation", "ImageType"}
"""Without the right values of these a file is no grey MR picture."""
KEYWORDS = (
    *(
        "InstitutionName",
        "InstitutionAddress",
        "ReferringPhysicianName",
        "OperatorsName",
        "PatientComments",
        "PatientAddress",
        "EthnicGroup",
    ),
    *("AdditionalPatientHistory", "StudyDescription", "SeriesDescription", "ProtocolName", "ImageComments", "BodyPartExamined", "StudyID"),
    *("RequestedProcedureDescription", "PerformedProcedureStepDescription", "RetrieveAETitle", "StationName", "DeviceSerialNumber"),
    *("ContrastBolusAgent", "PatientSex", "SequenceName", "ScanOptions", "OtherPatientNames", "TextValue", "URNCodeValue", "LongCodeValue"),
    *("RetrieveURL", "PatientBirthTime", "AcquisitionDateTime", "AcquisitionDate", "SeriesDate", "ContentTime", "PatientBirthName"),
    *("IssuerOfPatientID", "OtherPatientIDs", "Occupation", "DerivationDescription", "RescaleType", "Allergies", "CountryOfResidence"),
)
VERSIONS = {
    "YYYYMMDD": (0, 1, 2, ""),
    "YYYY-MM-DD": (0, 1, 2, "-"),
    "YYYY/MM/DD": (0, 1, 2, "/"),
    "YYYY.MM.DD": (0, 1, 2, "."),
    "DD.MM.YYYY": (2, 1, 0, "."),
    "DD/MM/YYYY": (2, 1, 0, "/"),
    "DD-MM-YYYY": (2, 1, 0, "-"),
    "MM/DD/YYYY": (1, 2, 0, "/"),
    "DDMMYYYY": (2, 1, 0, ""),
}
ENCODINGS = ("utf-8", "latin-1", "utf-16-le", "utf-16-be")
STUDY = 4001


# What is planted


def word(tag: int) -> str:
    """The word of an element, in capitals as code strings are."""
    return f"QX{tag:08X}"


def plant(dataset: pydicom.Dataset) -> None:
    """A word in every text element, in some that were not there, in private ones, and in items of sequences."""
    add_texts(dataset)
    item = pydicom.Dataset()
    add_texts(item)
    dataset.RequestAttributesSequence, dataset.ReferencedStudySequence, dataset.OtherPatientIDsSequence = [item], [item], [item]
    for group in (0x0009, 0x0029, 0x0051):
        block = dataset.private_block(group, f"QXCREATOR{group:04X}", create=True)
        for number, letters in enumerate(sorted(TEXTS - {"CS"})):
            block.add_new(number, letters, word(block.get_tag(number)))
        block.add_new(0x50, "OB", f"QXPRIVATEOB{group:04X} ".encode())
        block.add_new(0x51, "SQ", [item])
    dataset.ImageType = [*list(dataset.get("ImageType") or ["ORIGINAL", "PRIMARY"])[:2], word(0x0008_0008)]
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = NAME, IDENTIFIER, BORN
    dataset.StudyDate, dataset.AccessionNumber, dataset.PatientAge = EXAMINED, ACCESSION, AGE
    dataset.preamble = b"QXPREAMBLE".ljust(128, b"\0")
    dataset.file_meta.SourceApplicationEntityTitle = "QXSOURCEAE"
    dataset.file_meta.ImplementationVersionName = "QXVERSION"


def add_texts(dataset: pydicom.Dataset) -> None:
    for keyword in KEYWORDS:
        setattr(dataset, keyword, "")
    for element in dataset:
        if element.VR in TEXTS and element.keyword not in NEEDED:
            element.value = word(element.tag)
        elif element.VR in ("DA", "DT", "TM"):
            element.value = {"DA": OTHER_DATE, "DT": OTHER_DATE + OTHER_TIME, "TM": OTHER_TIME}[element.VR]


def planted_words() -> set[str]:
    """All of them, in small letters, dates in the ways in which they are written."""
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    with tolerant():
        plant(dataset)
    texts = {str(element.value).lower() for element in dataset.iterall() if element.VR in TEXTS}
    found = {text for text in texts if text.startswith("qx")} | {word(0x0008_0008).lower()}
    found |= {"qxpreamble", "qxsourceae", "qxversion", "qxprivateob", FOLDER.lower(), FILE.lower(), OTHER_TIME, "08:15:37"}
    return found | SHOWN | {version for date in (BORN, EXAMINED, OTHER_DATE) for version in dates(date)}


def dates(date: str) -> set[str]:
    parts = date[:4], date[4:6], date[6:]
    return {mark.join(parts[place] for place in order) for *order, mark in VERSIONS.values()}


def damaged(content: bytes) -> Iterator[bytes]:
    """A file with something wrong each: cut short, bytes changed in header and pixels, no geometry, absurd sizes, not an image."""
    for share in (0.02, 0.3, 0.6, 0.98):
        yield content[: int(len(content) * share)]
    generator = np.random.default_rng(3)
    uid = re.search(rb"\x20\x00\x0d\x00UI..[0-9.]+", content, re.DOTALL)
    assert uid is not None
    for _ in range(6):
        changed = np.frombuffer(content, np.uint8).copy()
        changed[generator.integers(132, len(changed), 40)] = generator.integers(0, 256, 40)
        changed[slice(*uid.span())] = np.frombuffer(uid[0], np.uint8)  # with another study's UID it would be another study
        yield changed.tobytes()
    changes: list[Callable[[pydicom.Dataset], object]] = [
        lambda dataset: delattr(dataset, "ImagePositionPatient"),
        lambda dataset: setattr(dataset, "Rows", 60000),
        lambda dataset: setattr(dataset, "SamplesPerPixel", 3),
        lambda dataset: setattr(dataset, "Modality", "QXMODALITY"),
        lambda dataset: setattr(dataset, "PhotometricInterpretation", "QXPHOTO"),
        lambda dataset: setattr(dataset, "SOPClassUID", EncapsulatedPDFStorage),
        lambda dataset: setattr(dataset, "ImageType", ["ORIGINAL", "PRIMARY", "MOSAIC"]),
        lambda dataset: setattr(dataset, "ImageOrientationPatient", [0, 0, 0, 0, 0, 0]),
        lambda dataset: [setattr(dataset, "PatientName", "Quizzelworth^Other"), setattr(dataset, "InstanceNumber", 7000)],
        lambda dataset: setattr(dataset, "PixelData", pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51QXPIXELS" * 9])),
    ]
    for change in changes:
        dataset = pydicom.dcmread(io.BytesIO(content))
        dataset.SOPInstanceUID = generate_uid()
        change(dataset)
        stream = io.BytesIO()
        dataset.save_as(stream)
        yield stream.getvalue()
    yield f"{NAME} {IDENTIFIER} {BORN}".encode()
    yield content[128:].replace(b"DICM", b"", 1)


def plant_files(folder: Path) -> None:
    with tolerant():
        for path in sorted(folder.rglob("*.dcm")):
            dataset = pydicom.dcmread(path)
            plant(dataset)
            dataset.save_as(path)


def add_damaged(folder: Path, source: Path, name: str) -> None:
    with tolerant():
        folder.mkdir(parents=True)
        for number, content in enumerate(damaged(source.read_bytes())):
            (folder / name.format(number + 1)).write_bytes(content)


def copy_as_study(sources: Sequence[Path], folder: Path, uid: str) -> None:
    folder.mkdir(parents=True)
    with tolerant():
        for path in sources:
            dataset = pydicom.dcmread(path)
            dataset.StudyInstanceUID = uid
            dataset.save_as(folder / path.name)


def archive_damaged(folder: Path) -> None:
    """An archive instead of a folder, the bytes of one member changed."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.dcm")):
            archive.write(file, file.relative_to(folder))
        first = archive.infolist()[0]
    shutil.rmtree(folder)
    content = bytearray(path.read_bytes())
    middle = first.header_offset + first.compress_size // 2
    content[middle : middle + 60] = bytes(60)
    path.write_bytes(content)


@pytest.fixture(scope="module")
def hospital(patient: Patient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The patient's study with damaged files in ``study7``, a study that nothing can be read of, and a damaged archive."""
    root = tmp_path_factory.mktemp("private") / "in"
    for index, series in enumerate(patient.study.series):
        folder = root / "study7" / f"{FOLDER}{index}"
        names = [f"{FILE}{instance.instance_number}.dcm" for instance in series.instances]
        syntax = (TransferSyntax.RLE, TransferSyntax.JPEG_2000, TransferSyntax.DEFLATED)[index % 3]
        write_series(folder, patient.study.study_instance_uid, series, HeaderProfile.SIEMENS, syntax, names)
    plant_files(root)
    sources = sorted((root / "study7" / f"{FOLDER}1").iterdir())
    add_damaged(root / "study7" / f"{FOLDER}damaged", sources[0], FILE + "damaged{}")
    for name in ("lost", "packed"):
        copy_as_study(sources[:3], root / name / FOLDER, f"1.2.3.{len(name)}")
    for path in (root / "lost" / FOLDER).iterdir():
        path.write_bytes(path.read_bytes()[:-900])
    archive_damaged(root / "packed")
    return root


@pytest.fixture(scope="module")
def data(patient: Patient, patient_grades: StudyGrades, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The patient in the competition's layout, with a series of damaged files and some that do not belong there."""
    root = tmp_path_factory.mktemp("private") / "data"
    study = root / "train_images" / str(STUDY)
    series_ids = {oid(series.series_instance_uid): index for index, series in enumerate(patient.study.series, 1)}
    for index, series in enumerate(patient.study.series, 1):
        write_series(study / str(index), "1.2.4", series, HeaderProfile.SIEMENS)
    plant_files(root)
    add_damaged(study / "9", study / "1" / "1.dcm", "{}.dcm")
    (study / "1" / f"{FILE}.txt").write_text(NAME)
    (root / "train_images" / f"{FOLDER}").mkdir()
    shutil.copytree(root / "train_images", root / "test_images")
    points = []
    for grade in patient_grades.grades:
        place = grade.evidence
        assert place is not None
        series_id = series_ids[place.series_instance_uid]
        points.append(LabelCoordinate(STUDY, series_id, place.instance_number, grade.finding, place.column_px, place.row_px))
    write_coordinates(root / "train_label_coordinates.csv", points)
    severities = np.array([[truth.severity for truth in patient.truth]], np.int8)
    write_labels(root / "train.csv", StudyLabels((STUDY,), np.ma.MaskedArray(severities)))
    roles: dict[int, SeriesRole] = {index: series.role for index, series in enumerate(patient.study.series, 1)}
    for split in ("train", "test"):
        write_series_roles(root / f"{split}_series_descriptions.csv", {STUDY: roles | {9: SeriesRole.SAGITTAL_T2}})
    return root


# Where it is looked for


WORDS = planted_words()
CODED = {each for each in WORDS if each.startswith("qx")}
"""Found by their beginning, since there are hundreds."""
NEEDLES = {
    version.encode(code).lower(): each for each in WORDS - CODED for version in (each, each.upper()) for code in ("utf-8", "latin-1")
}
DATA_URI = re.compile(rb"data:[a-z/+]*;base64,([A-Za-z0-9+/=]+)")


def found_in(content: bytes) -> set[str]:
    """The planted words in bytes, in whatever case, as UTF-8, Latin-1 or UTF-16, and in what is packed inside them."""
    found = set()
    for text in (content.lower(), content.lower().replace(b"\0", b"")):  # without zeros UTF-16 is Latin-1
        coded = {match.decode() for match in re.findall(rb"qx[0-9a-z]{4,}", text)}
        found |= {each for each in CODED for longer in coded if each in longer}
        found |= {each for needle, each in NEEDLES.items() if needle in text}
    for inner in unpacked(content):
        found |= found_in(inner)
    return found


def unpacked(content: bytes) -> Iterator[bytes]:
    """Members of archives, what pictures say of themselves, and text without its escapes."""
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.infolist():
                yield member.filename.encode() + b"\n" + archive.read(member)
    elif content.startswith((b"\x89PNG", b"\xff\xd8\xff")):
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            yield repr((picture.info, dict(picture.getexif()))).encode()
    elif content.lstrip()[:1] in (b"{", b"["):
        for line in content.splitlines():
            if line.startswith(b"{") and line.endswith(b"}"):
                yield b"text " + json.dumps(json.loads(line), ensure_ascii=False).encode("utf-8", "surrogatepass")
    elif content.lstrip()[:9].lower() == b"<!doctype":
        yield b"text " + html.unescape(content.decode()).encode()
        for encoded in DATA_URI.findall(content):
            yield base64.b64decode(encoded)


def found_below(*roots: Path) -> set[str]:
    """The planted words in all files below folders, and in their names."""
    paths = [path for root in roots for path in root.rglob("*")]
    assert any(path.is_file() for path in paths)
    names = "\n".join(path.name for path in paths).encode("utf-8", "surrogateescape")
    return found_in(names).union(*(found_in(path.read_bytes()) for path in paths if path.is_file()))


@pytest.mark.parametrize("code", ENCODINGS)
def test_the_search_finds_a_word_wherever_it_is(code: str, tmp_path: Path) -> None:
    text = "said of zebulón, born 13.06.1947"
    wanted = {"zebulón", "13.06.1947"}
    assert found_in(b"\x00\xff" + text.upper().replace("Ó", "ó").encode(code)) == wanted
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", text.encode(code))
    assert found_in((tmp_path / "a.npz").read_bytes()) == wanted
    picture = io.BytesIO()
    Image.new("L", (4, 4)).save(picture, "PNG", pnginfo=compressed_text(text))
    page = b'<!doctype html><img src="data:image/png;base64,' + base64.b64encode(picture.getvalue()) + b'">'
    assert found_in(page) == wanted
    assert found_in(b'{"name": "zebul\\u00f3n", "born": "13.06.1947"}') == wanted
    (tmp_path / f"{FILE}.txt").touch()
    assert found_below(tmp_path) == wanted | {FILE.lower()}


def compressed_text(text: str) -> object:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("comment", text, zip=True)
    return info


def test_files_hold_what_is_looked_for(hospital: Path, data: Path) -> None:
    for path in (hospital / "study7" / f"{FOLDER}0", data / "train_images" / str(STUDY)):
        assert SHOWN | {word(0x0008_103E).lower(), word(0x0018_1030).lower(), "qxprivateob"} <= found_below(path)
    assert len(WORDS) > 100


# Every command


@pytest.fixture
def run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., set[str]]:
    """Runs a command and gives the planted words in what it says and logs, in what it writes below ``tmp_path``, and in temporary files."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)

    def answer(code: int, *arguments: object, places: tuple[str, ...] = ()) -> set[str]:
        capfd.readouterr()
        assert main([str(argument) for argument in arguments]) == code
        captured = capfd.readouterr()
        (tmp_path / "said").write_text(captured.out + captured.err + caplog.text)
        assert "Traceback" not in captured.err
        for place in places:
            assert (tmp_path / place).exists()
        found = found_below(tmp_path)
        texts = [path.read_text() for path in tmp_path.rglob("*") if path.suffix in (".json", ".csv") or path.name == "said"]
        return found | {AGE for text in texts if AGE.lower() in text.lower()}

    return answer


def test_grading_tells_nothing_of_the_patient(hospital: Path, tmp_path: Path, run: Callable[..., set[str]]) -> None:
    assert run(4, "grade", hospital, "--output", tmp_path / "out", "--explain", places=("out/study7/report.html",)) == set()
    result = json.loads((tmp_path / "out" / "study7" / "result.json").read_text())
    assert sum(finding["status"] == "graded" for finding in result["findings"]) == 25
    told = {problem["code"] for place in (result, *result["series"]) for problem in place["problems"]}
    assert {"unusable_instance", "no_geometry", "mosaic", "duplicate_position", "contrast_enhanced"} <= told
    assert run(4, "grade", hospital, "--output", tmp_path / "out", "--resume") == set()
    assert run(3, "grade", hospital / "lost", "--output", tmp_path / "none") == set()


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_inspecting_tells_nothing_of_the_patient(form: tuple[str, ...], hospital: Path, run: Callable[..., set[str]]) -> None:
    assert run(4, "inspect", hospital, *form) == set()
    assert run(3, "inspect", hospital / "lost", *form) == set()


@pytest.mark.parametrize("form", [("--all",), ("--json", "--quick")], ids=["text", "json"])
def test_checking_tells_nothing_of_the_patient(form: tuple[str, ...], data: Path, tmp_path: Path, run: Callable[..., set[str]]) -> None:
    assert run(0, "check", data, *form, "--workers", "1", "--fix-coordinates", tmp_path / "fixed.csv", places=("fixed.csv",)) == set()


def test_exploring_tells_nothing_of_the_patient(data: Path, tmp_path: Path, run: Callable[..., set[str]]) -> None:
    assert run(0, "explore", data, "--output", tmp_path / "page.html", "--workers", "1", places=("page.html",)) == set()


def test_predicting_tells_nothing_of_the_patient(data: Path, tmp_path: Path, run: Callable[..., set[str]]) -> None:
    assert run(0, "predict", data, "--output", tmp_path / "submission.csv", "--workers", "2", places=("submission.csv",)) == set()


def test_measuring_levels_tells_nothing_of_the_patient(data: Path, tmp_path: Path, run: Callable[..., set[str]]) -> None:
    assert run(0, "levels", data, "--json", "--output", tmp_path / "worst", places=("worst",)) == set()
    assert len(list((tmp_path / "worst").glob("*.png"))) == 1


def test_calibrating_tells_nothing_of_the_patient(data: Path, tmp_path: Path, run: Callable[..., set[str]]) -> None:
    assert run(0, "calibrate", data, "--output", tmp_path / "site", "--workers", "1", places=("site/run.json",)) == set()


def test_preparing_a_training_tells_nothing_of_the_patient(data: Path, tmp_path: Path, run: Callable[..., set[str]]) -> None:
    """Studies are read and stored; one is too few to go on, and what is learnt from afterwards is what was stored."""
    cache = f"run/cache/{STUDY}"
    assert run(2, "train", data, "--output", tmp_path / "run", "--config", "smoke", places=(f"{cache}.npz", f"{cache}.pictures")) == set()


# Where it is asked for


def test_identifiers_are_shown_where_they_are_asked_for_and_only_those(
    hospital: Path, tmp_path: Path, run: Callable[..., set[str]]
) -> None:
    shutil.copytree(hospital / "study7", tmp_path.parent / f"{tmp_path.name}-in" / "study7")
    study = tmp_path.parent / f"{tmp_path.name}-in" / "study7"
    shutil.rmtree(study / f"{FOLDER}damaged")
    assert run(0, "grade", study, "--output", tmp_path / "out", "--include-identifiers") == SHOWN
    folder = tmp_path / "out" / "study7"
    result = json.loads((folder / "result.json").read_text())
    shown = {"name": NAME, "id": IDENTIFIER, "birth_date": BORN, "study_date": EXAMINED, "accession_number": ACCESSION}
    assert result["study"]["patient"] == shown
    assert found_in((folder / "report.html").read_bytes()) == SHOWN
    assert found_in((folder / "findings.csv").read_bytes()) == set()


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_inspect_shows_identifiers_and_folders_where_they_are_asked_for(
    form: tuple[str, ...], hospital: Path, tmp_path: Path, run: Callable[..., set[str]]
) -> None:
    shutil.copytree(hospital / "study7", tmp_path.parent / f"{tmp_path.name}-in" / "study7")
    study = tmp_path.parent / f"{tmp_path.name}-in" / "study7"
    shutil.rmtree(study / f"{FOLDER}damaged")
    assert run(0, "inspect", study, "--include-identifiers", *form) == SHOWN | {FOLDER.lower()}


def test_identifiers_that_differ_from_file_to_file_are_not_shown(hospital: Path, run: Callable[..., set[str]]) -> None:
    found = run(0, "inspect", hospital / "study7", "--include-identifiers")
    assert SHOWN - {"quizzelworth", "zebulón"} <= found
    assert not found & {"quizzelworth", "zebulón"}
