"""Pixel decoders written in C and C++, kept in a process of their own, which may crash, hang or be refused memory without harm.

JPEG, JPEG-LS and JPEG 2000 go through libraries that were not written for hostile bytes. The process is begun when the first such picture
comes, and stays for the next; it ends with ours. What passes between the two is a length, a JSON header and bytes, and never a pickle.
"""

import atexit
import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import JPEG2000, UID, JPEG2000Lossless, JPEGLSLossless, JPEGLSNearLossless, RLELossless

from lumbargrade.dicom import limits
from lumbargrade.errors import DicomError

# Where several are installed pydicom tries one after the other, and GDCM writes about damaged JPEG 2000 to stderr.
_PLUGINS = {JPEG2000Lossless: "pylibjpeg", JPEG2000: "pylibjpeg", JPEGLSLossless: "pyjpegls", JPEGLSNearLossless: "pyjpegls"}
_ELEMENTS = (
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "PhotometricInterpretation",
)
_LENGTHS = struct.Struct("<QQ")
_BEGIN = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from lumbargrade.dicom.decoder import serve; serve(int(sys.argv[2]))"


class LatePicture(DicomError):
    """A picture that takes too long to decode, and the seconds that were lost on it."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"its pixels take more than {seconds:.0f} s to decode")
        self.seconds = seconds


def is_decoded_apart(syntax: UID) -> bool:
    """Whether pictures of a transfer syntax are left to the other process: all compressed ones but RLE, whose library is of safe Rust."""
    return bool(syntax.is_encapsulated and syntax != RLELossless)


def decode_apart(dataset: Dataset) -> NDArray[Any]:
    """The stored values of a data set of a compressed transfer syntax, of any shape. Call ``pixel_count`` first.

    Raises:
        DicomError: the decoder refuses the bytes, crashes, or needs more than ``MAX_DECODER_BYTES``.
        LatePicture: it takes too long.
    """
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    header = {"syntax": syntax} | {name: dataset.get(name) for name in _ELEMENTS if dataset.get(name) not in (None, "")}
    pixels = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("NumberOfFrames") or 1)
    seconds = limits.DECODER_SECONDS + pixels / limits.DECODER_PIXELS_A_SECOND
    answer, content = _DECODER.ask({name: _plain(value) for name, value in header.items()}, bytes(dataset.PixelData), seconds)
    if "error" in answer:
        raise DicomError(f"its {UID(syntax).name} pixels are not readable ({answer['error']})")
    return np.frombuffer(content, np.dtype(answer["type"])).reshape(answer["shape"])


def serve(most_bytes: int) -> None:
    """The other process: answer until the pipe is closed, with so many bytes beyond those that the interpreter has."""
    source, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "wb") as nothing:  # what libraries print must not get between the answers
        os.dup2(nothing.fileno(), 1)
    _limit_resources(most_bytes)
    while (message := _receive(source)) is not None:
        header, content = message
        try:
            values = _decode(header, content)
            _send(answers, {"type": values.dtype.str, "shape": values.shape}, values.data.cast("B"))
        except Exception as error:  # damaged bytes make decoders raise anything
            _send(answers, {"error": type(error).__name__}, b"")


class _Decoder:
    """The other process, begun anew after it was lost."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._one_at_a_time = threading.Lock()

    def ask(self, header: Mapping[str, Any], content: bytes, seconds: float) -> tuple[dict[str, Any], bytes]:
        with self._one_at_a_time:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            is_late = threading.Event()

            def stop() -> None:
                is_late.set()
                process.kill()

            watch = threading.Timer(seconds, stop)
            watch.daemon = True
            watch.start()
            try:
                _send(process.stdin, header, content)
                answer = _receive(process.stdout)
            except OSError:  # it went while it was written to
                answer = None
            finally:
                watch.cancel()
            if answer is None:
                self._end()
                if is_late.is_set():
                    raise LatePicture(seconds)
                raise DicomError("its pixels crash the decoder")
            return answer

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            self._end()
            command = [sys.executable, "-c", _BEGIN, json.dumps(sys.path), str(limits.MAX_DECODER_BYTES)]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            atexit.register(self._end)
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        atexit.unregister(self._end)
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except OSError:  # what could not be written to it any more
                continue


_DECODER = _Decoder()


def _decode(header: Mapping[str, Any], content: bytes) -> NDArray[Any]:
    dataset = Dataset()
    for name in _ELEMENTS:
        if name in header:
            setattr(dataset, name, header[name])
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(header["syntax"])
    dataset.PixelData = content
    dataset["PixelData"].is_undefined_length = True
    return np.ascontiguousarray(pixel_array(dataset, raw=True, decoding_plugin=_PLUGINS.get(UID(header["syntax"]), "")))


def _limit_resources(most_bytes: int) -> None:
    """No files, no core, and so much memory beyond what the interpreter itself has; where the system knows such limits."""
    try:
        import resource
    except ImportError:
        return
    bounds = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0}
    statistics = Path("/proc/self/statm")
    if statistics.is_file():
        own_bytes = int(statistics.read_text().split()[0]) * resource.getpagesize()
        bounds[resource.RLIMIT_AS] = own_bytes + most_bytes
    for kind, most in bounds.items():
        resource.setrlimit(kind, (most, most))


def _send(stream: IO[bytes], header: Mapping[str, Any], content: bytes | memoryview) -> None:
    text = json.dumps(header).encode()
    stream.write(_LENGTHS.pack(len(text), len(content)) + text)
    stream.write(content)
    stream.flush()


def _receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """What was sent; None where the stream ends before."""
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    text_bytes, content_bytes = _LENGTHS.unpack(lengths)
    text, content = stream.read(text_bytes), stream.read(content_bytes)
    return (json.loads(text), content) if len(content) == content_bytes else None


def _plain(value: Any) -> int | str:
    return value if isinstance(value, str) else int(value)
