"""``python -m lumbargrade``: the command line, also for starters such as ``torchrun -m lumbargrade``."""

import sys

from lumbargrade.cli import main

if __name__ == "__main__":
    sys.exit(main())
