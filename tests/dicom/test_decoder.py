"""The process of the C and C++ decoders: what it gives is right, and its loss costs one picture."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.pixels import compress
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless

from lumbargrade.dicom import decoder, limits
from lumbargrade.dicom.parse import read_all
from lumbargrade.dicom.pixels import decode_frames
from lumbargrade.errors import DicomError
from lumbargrade.study import Series, Study

Write = Callable[..., Path]
Read = Callable[[Path], Study]


@pytest.fixture
def plain(sagittal_t2: Series, write_study: Write) -> pydicom.Dataset:
    path = write_study(sagittal_t2) / "202" / "1.dcm"
    return pydicom.dcmread(path)


def compressed(plain: pydicom.Dataset, syntax: str = JPEG2000Lossless) -> pydicom.Dataset:
    dataset = pydicom.dcmread(pydicom.filebase.DicomBytesIO(as_bytes(plain)))
    compress(dataset, syntax, encoding_plugin="pyjpegls" if syntax == JPEGLSLossless else "pylibjpeg", generate_instance_uid=False)
    return dataset


def as_bytes(dataset: pydicom.Dataset) -> bytes:
    stream = pydicom.filebase.DicomBytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return bytes(stream.getvalue())


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
def test_the_other_process_gives_the_stored_values(plain: pydicom.Dataset, syntax: str) -> None:
    np.testing.assert_array_equal(decode_frames(read_all(as_bytes(compressed(plain, syntax))))[0], plain.pixel_array)


def test_damaged_bytes_are_an_error_and_the_process_goes_on(plain: pydicom.Dataset) -> None:
    good, bad = compressed(plain), compressed(plain)
    decode_frames(good)
    process = decoder._DECODER._process
    bad.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51" + bytes(200)])
    with pytest.raises(DicomError, match=r"its JPEG 2000 .* pixels are not readable \(\w+\)"):
        decode_frames(bad)
    np.testing.assert_array_equal(decode_frames(good)[0], plain.pixel_array)
    assert decoder._DECODER._process is process


def test_a_decoder_that_hangs_is_given_up_and_the_next_picture_is_read(plain: pydicom.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = compressed(plain)
    decode_frames(dataset)
    process = decoder._DECODER._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(limits, "DECODER_SECONDS", 0.2)
    with pytest.raises(DicomError, match="its pixels take more than 0 s to decode"):
        decode_frames(dataset)
    monkeypatch.undo()
    np.testing.assert_array_equal(decode_frames(dataset)[0], plain.pixel_array)


def test_a_decoder_that_crashes_costs_one_picture(plain: pydicom.Dataset) -> None:
    dataset = compressed(plain)
    decode_frames(dataset)
    process = decoder._DECODER._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    threading.Timer(0.3, process.send_signal, (signal.SIGSEGV,)).start()
    threading.Timer(0.4, process.send_signal, (signal.SIGCONT,)).start()
    with pytest.raises(DicomError, match="its pixels crash the decoder"):
        decode_frames(dataset)
    np.testing.assert_array_equal(decode_frames(dataset)[0], plain.pixel_array)


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="memory is bounded where /proc tells how much a process has")
def test_the_process_gets_no_more_memory_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = pydicom.Dataset()
    dataset.Rows, dataset.Columns, dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 4000, 4000, 16, 16, 15
    dataset.PixelRepresentation, dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 0, 1, "MONOCHROME2"
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = pydicom.uid.MRImageStorage, "2.25.1"
    dataset.PixelData = bytes(2 * 4000 * 4000)
    compress(dataset, JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    assert decode_frames(dataset).shape == (1, 4000, 4000)
    decoder._DECODER._end()
    monkeypatch.setattr(limits, "MAX_DECODER_BYTES", 48 * limits.MEBIBYTE)
    with pytest.raises(DicomError, match="pixels"):
        decode_frames(dataset)
    decoder._DECODER._end()


def test_the_process_ends_with_the_one_that_asked(plain: pydicom.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(as_bytes(compressed(plain)))
    script = (
        "import os, sys; from lumbargrade.dicom import decoder; from lumbargrade.dicom.parse import read_all; "
        f"decoder.decode_apart(read_all(open({str(path)!r}, 'rb').read())); print(decoder._DECODER._process.pid); "
        "sys.stdout.flush(); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    pid = int(done.stdout)
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").exists() and " Z " in Path(f"/proc/{pid}/stat").read_text():
            return
        time.sleep(0.05)
    pytest.fail("the decoder's process outlives the one that asked")
