"""How much this room reads at most, each bound with its reason.

A lumbar study is about 100 slices of 512 x 512 (26 million pixels); the largest three-dimensional series of the competition has 192. Every
bound is at least ten times what genuine data need, and low enough that a hostile file is refused before it fills the memory.
"""

MEBIBYTE = 2**20

MAX_FILE_BYTES = 1024 * MEBIBYTE
"""One DICOM file in memory: an Enhanced MR of 1,000 uncompressed frames of 512 x 512 needs half of it."""

MAX_INFLATED_BYTES = 256 * MEBIBYTE
"""A data set of the Deflated transfer syntax once inflated: pydicom alone would turn half a megabyte into a gigabyte without asking."""

MAX_INSTANCE_PIXELS = 2**27
"""Rows x columns x frames of one instance, checked before decoding: 512 MiB as float32."""

MAX_STUDY_PIXELS = 2**29
"""All instances of one study together: 2 GiB as float32."""

MAX_ZIP_MEMBERS = 200_000
"""Members of one archive: the whole competition has 147,000 files."""

MAX_ZIP_TOTAL_BYTES = 64 * 1024 * MEBIBYTE
"""What all members of one archive may claim to inflate to: the whole competition is 35 GB."""

MAX_ZIP_RATIO = 100
"""Inflated to stored size of a large member: MR pixels shrink two- to fivefold, a bomb a thousandfold."""

RATIO_FREE_BYTES = 16 * MEBIBYTE
"""Members up to this size may have any ratio, because a black slice compresses as well as a bomb does."""

MAX_FOLDER_DEPTH = 64
"""Folders inside folders; archives can name thousands of levels, file systems' exports have five or six."""

MAX_UNMARKED_VALUE_BYTES = 4096
"""First element of a file without the DICM mark: a group length or an identifier is short, random bytes rarely claim so."""
