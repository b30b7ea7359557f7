"""One ONNX network, ready to run on the CPU."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before the import: some builds of the runtime report their use to its maker

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from lumbargrade.errors import ModelFileError


class Network:
    """An ONNX Runtime session over checked bytes; arrays in, arrays out.

    Raises:
        ModelFileError: the bytes are no ONNX model that the runtime can load.
    """

    def __init__(self, name: str, content: bytes, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime raises bare pybind exceptions of many kinds
            raise ModelFileError(f"{name}: not a network that ONNX Runtime can load ({type(error).__name__})") from error
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, **inputs: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Named inputs to named outputs."""
        return dict(zip(self._outputs, self._session.run(self._outputs, inputs), strict=True))
