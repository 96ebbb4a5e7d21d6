"""One animated picture of the frames that `record.mjs` or its sibling took. usage: python e2e/record.py FILE.gif"""

import sys
from pathlib import Path

from PIL import Image

_FRAME_MS = 140


def main(out: Path) -> None:
    """Write it; needs Pillow (it comes with matplotlib)."""
    files = sorted((Path(__file__).parent / "out" / "frames").glob("*.png"))
    frames = [Image.open(file).convert("P", palette=Image.Palette.ADAPTIVE, colors=64) for file in files]
    frames[0].save(out, save_all=True, append_images=frames[1:], duration=_FRAME_MS, loop=0, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
