"""Reading what is in the file, whether or not the standard likes it."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pydicom import config
from pydicom.hooks import hooks

from lumbargrade.dicom.bounded import convert_bounded

_TALKATIVE = ("pydicom", "pylibjpeg", "openjpeg")
_SILENT = logging.CRITICAL + 1


@contextmanager
def tolerant() -> Iterator[None]:
    """Inside it pydicom neither validates values nor speaks about them, and converts none that are too long; outside nothing has changed.

    The competition's identifiers are no OIDs and its headers lack required elements, so validation would warn on every good file. What
    pydicom logs can quote header values, which may identify a patient. The settings are pydicom's own globals: not for use by two threads.
    """
    levels = {name: logging.getLogger(name).level for name in _TALKATIVE}
    convert = hooks.raw_element_value
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(_SILENT)
    try:
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            hooks.register_callback("raw_element_value", convert_bounded)
            yield
    finally:
        hooks.register_callback("raw_element_value", convert)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
