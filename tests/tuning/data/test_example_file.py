"""The file of training examples: what is written is read again, and what is no such file is refused."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tuning.data import example_file
from tuning.data.example_file import ExampleFileError

_EXAMPLES = [
    {"language": "python", "kind": "line", "source": "a-1.0", "end": "line"},
    {"language": "go", "kind": "block", "source": "b-2.0", "end": "text"},
]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    example_file.write(tmp_path / "x.safetensors", [[1, 2, 3], [4, 151643]], [2, 1], _EXAMPLES)
    file = example_file.read(tmp_path / "x.safetensors")
    assert [list(file[number]) for number in range(len(file))] == [[1, 2, 3], [4, 151643]]
    assert list(file.targets) == [2, 1]
    assert list(file.starts) == [0, 3, 5]
    assert list(file.examples) == _EXAMPLES
    assert file.ids.dtype == np.int32
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"], "no part is left behind"


def test_a_target_outside_of_its_example_is_refused(tmp_path: Path) -> None:
    for target in (0, 3):
        with pytest.raises(ExampleFileError, match="outside"):
            example_file.write(tmp_path / "x.safetensors", [[1, 2, 3], [4, 5]], [target, 1], _EXAMPLES)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"not a tensor", b"\xff" * 64])
def test_what_is_no_file_of_examples_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(ExampleFileError):
        example_file.read(tmp_path / "x.safetensors")


def test_tensors_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    tensors = {
        "ids": np.arange(5, dtype=np.int32),
        "starts": np.array([0, 3], np.int32),
        "targets": np.ones(1, np.int32),
    }
    save_file(tensors, tmp_path / "x.safetensors", metadata={"examples": '[{"language": "go"}]'})
    with pytest.raises(ExampleFileError, match="divide"):
        example_file.read(tmp_path / "x.safetensors")
