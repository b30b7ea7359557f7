"""What the tests of the whole product share: one synthetic patient, in memory and on disk, and the model that ships."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lumbargrade.dicom import HeaderProfile, find_study, read_study, write_series
from lumbargrade.phantom.patient import Patient, PhantomConfig, make_patient
from lumbargrade.phantom.protocol import ProtocolConfig
from lumbargrade.pipeline import Pipeline
from lumbargrade.study import Stack, Study, StudyGrades
from lumbargrade.terms import SeriesRole


@pytest.fixture(scope="session")
def patient() -> Patient:
    """Scanned with care, so that all 25 findings are shown."""
    return make_patient(5, PhantomConfig(protocol=ProtocolConfig(stir=0, short_axials=0, tilt_error_deg=1)), workers=2)


@pytest.fixture(scope="session")
def patient_folder(patient: Patient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The patient as DICOM, a folder a series. Not to be written to."""
    folder = tmp_path_factory.mktemp("phantom") / "patient"
    for series in patient.study.series:
        write_series(folder / series.folder, patient.study.study_instance_uid, series, HeaderProfile.SIEMENS)
    return folder


@pytest.fixture(scope="session")
def patient_study(patient_folder: Path) -> Study:
    """The patient as read from those files."""
    return read_study(find_study(patient_folder))


@pytest.fixture(scope="session")
def pipeline() -> Pipeline:
    return Pipeline.load()


@pytest.fixture(scope="session")
def patient_grades(patient_study: Study, pipeline: Pipeline) -> StudyGrades:
    return pipeline.grade(patient_study)


@pytest.fixture
def write_small_study(patient: Patient) -> Callable[[Path, str], Path]:
    """Writes three axial slices as a study of their own: enough to be read, too little to be graded."""
    (axial, *_) = patient.study.with_role(SeriesRole.AXIAL_T2)
    small = replace(axial, stacks=(Stack(axial.stacks[0].instances[:3]),))

    def write(folder: Path, uid: str) -> Path:
        write_series(folder / "axial", uid, small, HeaderProfile.SIEMENS)
        return folder

    return write
