from lsp_server.cli.typing_check import N_LINES, _long_text, in_words


def test_it_says_how_long_waits_are_and_when_that_is_too_long() -> None:
    stalls = {"p50": 0.1, "p99": 1.0, "p999": 3.14, "max": 4.2, "n": 1000}
    good = "99.9 % of waits below 3.1 ms, the longest 4.2 ms (1,000 samples while typing into 10,000 lines)"
    assert in_words(stalls) == good
    assert in_words({**stalls, "idle": 2.5}) == f"{good}; meanwhile a process that does nothing waits 2.5 ms"
    assert "TOO LONG" not in in_words({**stalls, "p999": 5.1, "idle": 6.0})  # any process waits as long
    assert in_words({**stalls, "p999": 5.1}).endswith(
        "; TOO LONG, more than 5 ms: is another program using the processor?"
    )


def test_the_document_is_as_long_as_it_says_and_typed_into_where_a_statement_may_stand() -> None:
    lines = _long_text().splitlines()
    assert len(lines) == N_LINES
    assert lines[N_LINES // 2 + 4] == ""
    assert lines[N_LINES // 2 + 3].startswith("    return")
