"""Reading what is in the file, whether or not the standard likes it."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pydicom import config

_TALKATIVE = ("pydicom", "pylibjpeg", "openjpeg")
_SILENT = logging.CRITICAL + 1


@contextmanager
def tolerant() -> Iterator[None]:
    """Inside it pydicom neither validates values nor speaks about them; outside nothing has changed.

    The competition's identifiers are no OIDs and its headers lack required elements, so validation would warn on every good file. What
    pydicom logs can quote header values, which may identify a patient. The settings are pydicom's own globals: not for use by two threads.
    """
    levels = {name: logging.getLogger(name).level for name in _TALKATIVE}
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(_SILENT)
    try:
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
