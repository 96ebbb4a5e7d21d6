"""The repositories whose commits `midfill eval next-edit` makes situations of, and which half each is in.

Rules: thresholds, weights and rules are chosen on the one half, whose wrong answers are looked at; the other is run for
a figure. Those that were looked at while next edits were written are of the first. A history ends at a named commit.
None is one that weights are trained on.
"""

from evals.replay.histories import HISTORIES, Named


def _of(spec: str, language: str, date: str, *, held_out: bool) -> Named:
    return Named(spec.partition("==")[0].rpartition("/")[2], language, spec, f"..{date}", held_out)


def _chosen(spec: str, language: str, date: str) -> Named:
    return _of(spec, language, date, held_out=False)


def _held_out(spec: str, language: str, date: str) -> Named:
    return _of(spec, language, date, held_out=True)


REPOSITORIES = (
    *(Named(each.name, each.language, each.spec, each.dates, held_out=False) for each in HISTORIES),
    _chosen("python-attrs/attrs==..c1dc5dcba16ed827aa6dcad896b41a3afedb4e32", "python", "2026-08-07"),
    _chosen("reduxjs/redux==..3084fc33bb23ab4cab4796172eafe342da4e73d9", "typescript", "2026-08-01"),
    _chosen("go-playground/validator==..fd8bd3c9d513cd1d29e495974fa07dba7a2b5936", "go", "2026-07-20"),
    _chosen("serde-rs/json==..827a315bf2198558f0325b07bcc1e2cd973aba2f", "rust", "2026-06-23"),
    _chosen("FasterXML/jackson-databind==..3ff375f6cafa9696f43c5ba6f1d607cbd4ea20da", "java", "2025-04-16"),
    _held_out("pallets/werkzeug==..1b00618e787f40dfb21eba29caf8f8be7c8e1d93", "python", "2026-05-05"),
    _held_out("psf/black==..8947c48ef2077c3a301b03c1e814dc2e3f78436e", "python", "2026-08-20"),
    _held_out("mobxjs/mobx==..01211a698b64ea94de8e5f276ff8235fcf8ddf96", "typescript", "2026-08-20"),
    _held_out("pmndrs/zustand==..f094eebe9bd3b4b0d77b997f69ab1d273f69a877", "typescript", "2026-08-19"),
    _held_out("labstack/echo==..05489dc1730161df26b72d1ae2a3ba6fb8178fc7", "go", "2026-08-04"),
    _held_out("gorilla/mux==..db9d1d0073d27a0a2d9a8c1bc52aa0af4374d265", "go", "2024-06-19"),
    _held_out("rayon-rs/rayon==..c4dac9f82ee03f61e855075b668229a9e4d759ad", "rust", "2026-04-23"),
    _held_out("rust-lang/regex==..2b527599eb9eea0dcc288c704584f242f26a5c61", "rust", "2026-07-15"),
    _held_out("apache/commons-io==..d83aeb6f4774aee75d857b29fb6cd89132c9a91b", "java", "2026-08-22"),
)


def of_set(name: str) -> list[Named]:
    """The repositories of a set, one of `evals.replay.histories.SETS`."""
    return [each for each in REPOSITORIES if name == "all" or each.held_out == (name == "held-out")]
