"""How much this room reads at most, each bound with its reason.

A lumbar study is about 100 slices of 512 x 512 (26 million pixels); the largest three-dimensional series of the competition has 192. Every
bound is at least ten times what genuine data need, and low enough that a hostile file is refused before it fills the memory.
"""

MEBIBYTE = 2**20

MAX_FILE_BYTES = 1024 * MEBIBYTE
"""One DICOM file in memory: an Enhanced MR of 1,000 uncompressed frames of 512 x 512 needs half of it."""

MAX_INFLATED_BYTES = 128 * MEBIBYTE
"""A data set of the Deflated transfer syntax once inflated, as large as 250 uncompressed frames of 512 x 512; it takes twice as much while
it is inflated. pydicom alone would turn half a megabyte into a gigabyte without asking."""

MAX_INSTANCE_PIXELS = 2**27
"""Rows x columns x frames of one instance, checked before decoding: 512 MiB as float32."""

MAX_READS = 2**19
"""What pydicom may ask of the stream of one file: up to three times for an element, and an item of a sequence counts eightfold. An Enhanced
MR takes some 200 for each frame, so 1,000 frames take less than half of it. However few bytes they have, as many empty elements take three
seconds to read."""

MAX_CHARACTER_SET_BYTES, MAX_VALUE_BYTES = 1024, 16384
"""SpecificCharacterSet, of which a file has one or a few, and any other value that is no picture and no sequence. Explicit encodings have
two bytes for the length of most; the others can claim millions of numbers and texts, each of which becomes an object."""

LARGEST_PIXEL = 1e12
"""Grey values after rescaling: scanners write 16 bits times a slope of some hundreds at most, and float32 can hold the sum of a picture's
squares of this."""

MAX_INSTANCE_FRAMES = 8192
"""Frames of one instance, forty times the slices of the competition's largest series: each takes time and memory for its header, however
small its picture is."""

DECODER_SECONDS, DECODER_PIXELS_A_SECOND = 5.0, 2**23
"""A compressed picture may take the first, and a second more for as many pixels as the second says: a core decodes JPEG 2000, the slowest,
at about twice that. The largest instance may take 21 s."""

MAX_LATE_SECONDS = 10.0
"""What may be lost on pictures of one study that take too long: others that need the same decoders are then not tried."""

MAX_DECODER_BYTES = 1024 * MEBIBYTE
"""What the process of the C and C++ decoders may take beyond its interpreter: the largest instance of 16 bits as bytes, as values and as an
answer."""

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
