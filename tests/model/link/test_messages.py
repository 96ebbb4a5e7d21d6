"""What the core and the users hear of the daemon's messages."""

from completion.types import GenerationStats
from model.link import wire
from model.link.counters import BlockCounters, EngineCounters
from model.link.messages import facts_of


def test_what_a_daemon_says_of_itself_is_one_level_of_names() -> None:
    counters = EngineCounters(n_requests=2, blocks=BlockCounters(n_from_disk=3), device="cpu")
    facts = facts_of(wire.StatusReply(7, "m", 1.0, 600.0, counters))
    assert (facts["pid"], facts["n_requests"], facts["device"]) == (7, 2, "cpu")
    assert (facts["n_blocks_computed"], facts["n_blocks_from_disk"]) == (0, 3)
    assert not [name for name, fact in facts.items() if not isinstance(fact, str | int | float)]


def test_a_refused_request_has_the_counters_of_one_that_did_nothing() -> None:
    done = wire.refusal(5, "the prompt is empty", 12)
    assert (done.id, done.finish, done.error) == (5, "failed", "the prompt is empty")
    assert done.stats == GenerationStats(n_prompt=12)
