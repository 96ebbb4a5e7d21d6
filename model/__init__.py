"""Both ends of the engine: the model process (torch), and what talks to it (no torch)."""

import os

# Before torch is loaded anywhere: OpenMP's threads would wait in a busy loop, and starve each other on cores that have
# other work. Making a store beside an editor that indexes takes minutes then, and half an hour for a large model.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
