"""Every exception that LumbarGrade raises on purpose.

::

    LumbarGradeError                exit code
    |-- UsageError                      2      the command line or a configuration is wrong
    |-- InputError                      3      the input cannot be used
    |   |-- DicomError                         ... as DICOM
    |   `-- TableError                         ... as one of the competition's tables
    |-- OutputError                     3      results cannot be written
    `-- ModelFileError                  5      a model file is missing or does not match its sha256

A message is one line: where, what was found, what is needed, what to do. It never holds a patient's name or birth date.
"""


class LumbarGradeError(Exception):
    """Base of all of them; ``exit_code`` is what the command line ends with."""

    exit_code = 1


class UsageError(LumbarGradeError):
    """The command line or a configuration is wrong."""

    exit_code = 2


class InputError(LumbarGradeError):
    """The input cannot be used."""

    exit_code = 3


class DicomError(InputError):
    """A file or folder cannot be used as DICOM."""


class TableError(InputError):
    """A table of the competition's layout cannot be used."""


class OutputError(LumbarGradeError):
    """Results cannot be written: the disk is full, or not for writing."""

    exit_code = 3


class ModelFileError(LumbarGradeError):
    """A model file is missing or does not match its sha256."""

    exit_code = 5
