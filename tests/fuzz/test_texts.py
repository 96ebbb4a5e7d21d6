"""The fuzz of texts in small, and that its figures can show a loss."""

from pathlib import Path

from tests.fuzz.texts import IDS, Figures, make, run


def test_hundreds_of_texts_in_all_languages_hurt_nobody(tmp_path: Path) -> None:
    state = tmp_path / "state"
    figures = run(600, 7, Figures(), state)
    assert figures.inputs == 600
    assert figures.documents_lost == figures.answers_lost == 0
    assert {make(7, number)[0] for number in range(49)} == set(IDS)
