"""Both ends of the engine: the model process, and what talks to it. torch is for what makes stores, and for cards."""

import os

# Before torch is loaded anywhere: OpenMP's threads would wait in a busy loop, and starve each other on cores that have
# other work. Making a store beside an editor that indexes takes minutes then, and half an hour for a large model.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Before NumPy is: it asks for huge pages for large arrays. A session's keys and values would be in memory as a whole
# then, where only the slots that were written have to be: they lie apart, by layer and head.
os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")
