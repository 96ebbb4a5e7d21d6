"""Figures of other models on HumanEval's masked code, as their papers have them, to stand beside ours.

Used by `page_quality`.

Two benchmarks go by one name. Bavarian et al. cut lines and spans out of Python and run the program (pass@1); Allal et
al. cut single lines out of three languages and compare the text (exact match). So no figure of one stands beside one of
the other, and what differs in method from ours is said with each.

Rules: a figure stands here only as its source prints it; shares, not per cent.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where figures were published, and how they were got."""

    name: str
    place: str
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A model's figures by split, or by language; None where the source has none."""

    model: str
    parameters: str
    figures: tuple[float | None, ...]
    source: Source


_BAVARIAN = Source(
    name="Bavarian et al. 2022, Efficient Training of Language Models to Fill in the Middle",
    place="arXiv:2207.14255, table 4",
    method="100 samples a task at temperature 0.2, suffix before prefix; InCoder's as its own paper reports them",
)
_MELLUM = Source(
    name="JetBrains, model card",
    place="Hugging Face, JetBrains/Mellum-4b-base",
    method="reported by its makers, who do not say how answers were sampled or cut",
)
_QWEN = Source(
    name="Hui et al. 2024, Qwen2.5-Coder Technical Report",
    place="arXiv:2409.12186, table 7",
    method="the first line that is generated, compared with the true one",
)
_DEEPSEEK = Source(
    name="Guo et al. 2024, DeepSeek-Coder: When the Large Language Model Meets Programming",
    place="arXiv:2401.14196, table 6",
    method="the line compared with the true one; the same models have higher figures in Hui et al.",
)
_CODE_LLAMA = Source(
    name="Rozière et al. 2023, Code Llama: Open Foundation Models for Code",
    place="arXiv:2308.12950, table 6",
    method="greedy, prefix before suffix; SantaCoder's and StarCoder's as Li et al. 2023 report them",
)

SPLITS = ("single-line", "multi-line", "random-span")
PASS_AT_1 = (
    Published(model="FIM50", parameters="6.9B", figures=(0.730, 0.406, 0.521), source=_BAVARIAN),
    Published(model="FIM90", parameters="6.9B", figures=(0.751, 0.441, 0.551), source=_BAVARIAN),
    Published(model="InCoder", parameters="6.7B", figures=(0.690, 0.386, None), source=_BAVARIAN),
    Published(model="code-davinci-002", parameters="", figures=(0.916, 0.699, 0.742), source=_BAVARIAN),
    Published(model="Mellum-4b-base", parameters="4B", figures=(0.6621, 0.3852, 0.2970), source=_MELLUM),
    Published(model="Mellum-4b-sft-python", parameters="4B", figures=(0.8045, 0.4819, 0.3768), source=_MELLUM),
)
LANGUAGES = ("Python", "Java", "JavaScript")
EXACT_MATCH = (
    Published(model="Qwen2.5-Coder-0.5B", parameters="0.5B", figures=(0.703, 0.781, 0.812), source=_QWEN),
    Published(model="Qwen2.5-Coder-1.5B", parameters="1.5B", figures=(0.770, 0.856, 0.850), source=_QWEN),
    Published(model="Qwen2.5-Coder-7B", parameters="7B", figures=(0.797, 0.885, 0.876), source=_QWEN),
    Published(model="DS-Coder-1.3B-Base", parameters="1.3B", figures=(0.728, 0.843, 0.817), source=_QWEN),
    Published(model="DS-Coder-6.7B-Base", parameters="6.7B", figures=(0.781, 0.874, 0.841), source=_QWEN),
    Published(model="DS-Coder-1.3B-Base", parameters="1.3B", figures=(0.574, 0.822, 0.717), source=_DEEPSEEK),
    Published(model="DS-Coder-6.7B-Base", parameters="6.7B", figures=(0.666, 0.881, 0.797), source=_DEEPSEEK),
    Published(model="StarCoder2-3B", parameters="3B", figures=(0.709, 0.844, 0.818), source=_QWEN),
    Published(model="StarCoder2-7B", parameters="7B", figures=(0.708, 0.860, 0.844), source=_QWEN),
    Published(model="SantaCoder", parameters="1.1B", figures=(0.440, 0.620, 0.600), source=_CODE_LLAMA),
    Published(model="StarCoder", parameters="15.5B", figures=(0.620, 0.730, 0.740), source=_CODE_LLAMA),
    Published(model="Code Llama", parameters="7B", figures=(0.676, 0.743, 0.802), source=_CODE_LLAMA),
    Published(model="Code Llama", parameters="13B", figures=(0.683, 0.776, 0.807), source=_CODE_LLAMA),
)
OURS = (
    "Ours: one answer a task, decoded greedily, as an editor would hold it: what prompts, filters and, where somebody "
    "asks, second opinions make of the model. Published: the model's own text, cut as each source says."
)
OTHER_TASKS = (
    "Other tasks than ours: single lines of HumanEval's solutions in three languages (Allal et al. 2023, "
    "arXiv:2301.03988), right where the text is the same. Our exact match is of the tasks above."
)
