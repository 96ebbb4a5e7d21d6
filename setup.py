"""What pyproject.toml cannot say: a wheel without the native kernels is one for any machine.

Rules: all else stands in pyproject.toml.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel


class Wheel(bdist_wheel):
    """The extension is optional, and whether a compiler was there shows only when its files are in place."""

    def get_tag(self) -> tuple[str, str, str]:
        """Asked for between the building and the naming of the archive."""
        self.root_is_pure = not any(Path(self.bdist_dir, "model").glob("_native*"))
        tag: tuple[str, str, str] = super().get_tag()
        return tag


setup(cmdclass={"bdist_wheel": Wheel})
