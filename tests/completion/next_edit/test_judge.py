"""What is shown, in which order, and why nothing is."""

from dataclasses import replace

from completion.next_edit.edits import Layer, LineEdit, Proposal
from completion.next_edit.judge import THRESHOLD, WEIGHTS, asks_model, dismissal, features, judge, probability

EDITS = (LineEdit("f", 10, ("a",), ("b",)),)


def proposal(
    layer: Layer = Layer.REPEAT, line: int = 12, support: int = 4, old: str = "a x", is_alone: bool = False
) -> Proposal:
    return Proposal(layer, line, (old,), (f"{old} y",), support, n_constant=6, is_alone=is_alone)


def test_only_what_is_probably_wanted_is_shown_and_the_reason_says_how_probable_it_was() -> None:
    answer = judge([proposal()], EDITS, 10, threshold=0.0)
    (judged,) = answer.edits
    assert answer.reason == ""
    answer = judge([proposal()], EDITS, 10, threshold=judged.probability + 0.01)
    assert answer.edits == ()
    assert f"{judged.probability:.2f}" in answer.reason
    assert judge([], EDITS, 10).reason != judge([], (), 10).reason


def test_what_was_dismissed_is_not_shown_again_wherever_it_stands() -> None:
    dismissed = {dismissal(proposal(line=3))}
    assert judge([proposal(line=12)], EDITS, 10, threshold=0.0, dismissed=dismissed).edits == ()
    assert judge([proposal(old="a z")], EDITS, 10, threshold=0.0, dismissed=dismissed).edits != ()


def test_equally_sure_ones_come_in_the_order_of_the_text_from_the_last_edit_on() -> None:
    found = [proposal(line=line) for line in (3, 14, 12)]
    assert [each.proposal.line for each in judge(found, EDITS, 10, threshold=0.0).edits] == [12, 14, 3]


def test_what_was_done_more_often_is_more_probable_and_what_is_further_away_less() -> None:
    def p(each: Proposal) -> float:
        return probability(features(each, EDITS, 10))

    assert p(proposal(support=4)) > p(proposal(support=2)) > p(proposal(Layer.AGAIN, support=1))
    assert p(proposal(line=12)) > p(proposal(line=400))


def test_a_renamed_definition_is_offered_at_its_uses_on_the_next_pages_too() -> None:
    found = proposal(Layer.RENAME, line=80, support=1, is_alone=True)
    assert probability(features(found, EDITS, 10)) > THRESHOLD


def test_the_model_is_asked_only_by_who_wants_to_see_everything() -> None:
    assert asks_model(0.0)
    assert not asks_model(0.01)


def test_of_the_models_proposals_those_are_likeliest_that_it_is_surest_of_and_none_is_shown_by_default() -> None:
    def p(gain: float) -> float:
        return probability(features(replace(proposal(Layer.MODEL), gain=gain), EDITS, 10))

    assert p(-2.0) < p(2.0) < p(8.0) == p(50.0) < THRESHOLD


def test_every_weight_is_of_a_feature() -> None:
    said = replace(proposal(Layer.MODEL), gain=1.0)
    known = {name for layer in Layer for name in features(proposal(layer), EDITS, 10)} | set(features(said, EDITS, 10))
    assert set(WEIGHTS) <= known
