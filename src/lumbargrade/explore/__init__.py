"""One self-contained page about a data set: what is labelled, how the pictures are stored, what grades look like, and what seems wrong.

Counts come from the lenient tables of ``check``; pictures are cut from the slices that readers marked. Nothing is judged here, and no
name or date of a patient is read.
"""

from lumbargrade.explore.page import explore_page

__all__ = ["explore_page"]
