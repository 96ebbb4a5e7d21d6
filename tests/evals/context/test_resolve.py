import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from evals.context import resolve
from evals.context.needs import NeededLine, Target
from evals.context.resolve import code_lines, function_bodies, needed_bodies, needed_lines, sample
from evals.context.resolve_child import typescript_library
from evals.report import EvalError
from evals.sources import SourceFile, source_files
from model.library.paths import cache_dir

PYTHON = {
    "shop/prices.py": """\
class Price:
    amount: int

    def rounded(self, digits):
        return self

def tax(price, rate=5):
    return price // rate

def make_price():
    return Price()
""",
    "shop/client.py": """\
from shop.prices import tax
from .prices import Price as Cost, make_price
from shop import prices
import os

def total(price):
    return tax(price, rate=3) + os.getpid()

class Sale(Cost):
    def show(self):
        return self.rounded(2)

class Final(Sale):
    def rounded(self, digits):
        return self

def amount():
    return make_price().amount

def local(value):
    return total(value)

def dotted():
    return prices.tax(1)
""",
}
TYPESCRIPT = {
    "src/prices.ts": """\
export class Price {
  amount = 1
  rounded(digits: number): Price {
    return this
  }
}
export function tax(price: number): number {
  return price / 5
}
export const makePrice = (): Price => new Price()
""",
    "src/index.ts": "export { tax } from './prices'\n",
    "src/client.ts": """\
import { tax } from './index'
import { Price as Cost, makePrice } from './prices'
import * as prices from './prices'

export function total(price: number) {
  return tax(price)
}
class Sale extends Cost {
  show() {
    return this.rounded(2)
  }
}
const amount = makePrice().amount
const local = total(1) + Math.max(1, 2)
const dotted = prices.tax(1)
""",
    "src/View.tsx": """\
import { makePrice } from './prices'

export const View = () => <b>{makePrice().amount}</b>
""",
    "src/plain.js": """\
const { tax } = require("./prices")

const plain = tax(1)
""",
}
JAVA = {
    "shop/Price.java": """\
package shop;

import missing.Annotation;

/** Price of a thing. */
@Annotation
public class Price extends missing.Base {
    public int amount;

    protected Price
            rounded(int digits) {
        return this;
    }

    public static int tax(int price) {
        return price / 5;
    }

    public static Price makePrice() {
        return new Price();
    }
}
""",
    "shop/Kind.java": "package shop;\n\nenum Kind {\n    CHEAP,\n    DEAR\n}\n",
    "client/Client.java": """\
package client;

import missing.Thing;
import shop.Price;
import static shop.Price.tax;

class Client {
    int total(int price) {
        return tax(price) + Thing.none();
    }

    static class Sale extends Price {
        Object show() {
            return rounded(2);
        }
        Sale() {
            super();
        }
    }

    int amount() {
        return Price.makePrice()
                .amount;
    }

    int local() {
        return total(1);
    }
}
""",
    "shop/Near.java": "package shop;\n\nclass Near {\n    Kind kind = Kind.DEAR;\n}\n",
}


def has_typescript() -> bool:
    """Whether the compiler is there, or can be fetched."""
    if shutil.which("node") is None:
        return False
    try:
        typescript_library()
    except EvalError:
        return False
    return True


def has_jdk() -> bool:
    try:
        return subprocess.run(["javac", "-version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder for the tree; what is found is cached below the user's own cache, under the hash of its texts."""
    return tmp_path / "tree"


def write(root: Path, texts: dict[str, str]) -> list[SourceFile]:
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return list(source_files(root))


def uses(root: Path, language: str, texts: dict[str, str]) -> dict[str, dict[str, set[str]]]:
    """By path and line of code: what is needed, as "path:line name". Every line is asked, whatever the sample."""
    files = write(root, texts)
    family = resolve._FAMILIES[language]
    known = [file for file in files if file.language in family.languages]
    found: dict[str, dict[str, set[str]]] = {}
    with family.open(root, known) as resolver:
        for file in known:
            lines = file.text.split("\n")
            for number, targets in resolver.uses(file, [n for n, _, _ in code_lines(file)]).items():
                needs = {f"{target.path}:{target.line} {target.name}" for target in targets}
                found.setdefault(file.path, {})[lines[number - 1].strip()] = needs
    return found


def test_python_names_lead_to_their_definitions_in_other_files(tree: Path) -> None:
    assert uses(tree, "python", PYTHON) == {
        "shop/client.py": {
            "return tax(price, rate=3) + os.getpid()": {"shop/prices.py:7 tax"},
            "class Sale(Cost):": {"shop/prices.py:1 Price"},
            "return self.rounded(2)": {"shop/prices.py:4 rounded"},
            "return make_price().amount": {"shop/prices.py:10 make_price", "shop/prices.py:2 amount"},
            "return prices.tax(1)": {"shop/prices.py:7 tax"},
        }
    }


def test_a_python_tree_that_is_installed_too_resolves_to_itself(tree: Path) -> None:
    texts = {
        "src/pytest/__init__.py": "def raises():\n    pass\n",
        "src/pytest/own.py": "from pytest import raises\n\nraises()\n",
    }
    assert uses(tree, "python", texts) == {"src/pytest/own.py": {"raises()": {"src/pytest/__init__.py:1 raises"}}}


def test_typescript_names_lead_to_their_definitions_in_other_files(tree: Path) -> None:
    if not has_typescript():
        pytest.skip("no node, or TypeScript cannot be fetched")
    assert uses(tree, "typescript", TYPESCRIPT) == {
        "src/client.ts": {
            "return tax(price)": {"src/prices.ts:7 tax"},
            "class Sale extends Cost {": {"src/prices.ts:1 Price"},
            "return this.rounded(2)": {"src/prices.ts:3 rounded"},
            "const amount = makePrice().amount": {"src/prices.ts:10 makePrice", "src/prices.ts:2 amount"},
            "const dotted = prices.tax(1)": {"src/prices.ts:7 tax"},
        },
        "src/View.tsx": {
            "export const View = () => <b>{makePrice().amount}</b>": {
                "src/prices.ts:10 makePrice",
                "src/prices.ts:2 amount",
            }
        },
        "src/plain.js": {"const plain = tax(1)": {"src/prices.ts:7 tax"}},
    }


def test_a_typescript_workspace_finds_its_packages_by_name_and_by_its_paths(tree: Path) -> None:
    if not has_typescript():
        pytest.skip("no node, or TypeScript cannot be fetched")
    texts = {
        "packages/core/src/index.ts": "export const core = () => 1\n",
        "packages/core/src/deep/more.ts": "export const more = () => 1\n",
        "packages/app/src/a.ts": "import { core } from '@x/core'\nimport { more } from '@x/core/deep/more'\n"
        "import { far } from '~/far'\n\nconst sum = core() + more() + far()\n",
        "lib/far.ts": "\nexport const far = () => 1\n",
    }
    write(
        tree,
        {
            "packages/core/package.json": '{"name": "@x/core"}',
            "tsconfig.json": '{"compilerOptions": {"paths": {"~/*": ["./lib/*"]}}}',
        },
    )
    assert uses(tree, "typescript", texts)["packages/app/src/a.ts"] == {
        "const sum = core() + more() + far()": {
            "packages/core/src/index.ts:1 core",
            "packages/core/src/deep/more.ts:1 more",
            "lib/far.ts:2 far",
        }
    }


def test_java_names_lead_to_their_declarations_though_dependencies_are_missing(tree: Path) -> None:
    if not has_jdk():
        pytest.skip("no JDK")
    assert uses(tree, "java", JAVA) == {
        "client/Client.java": {
            "return tax(price) + Thing.none();": {"shop/Price.java:15 tax"},
            "static class Sale extends Price {": {"shop/Price.java:7 Price"},
            "return rounded(2);": {"shop/Price.java:11 rounded"},
            "super();": {"shop/Price.java:7 Price"},
            "return Price.makePrice()": {"shop/Price.java:7 Price", "shop/Price.java:19 makePrice"},
            ".amount;": {"shop/Price.java:8 amount"},
        },
        "shop/Near.java": {"Kind kind = Kind.DEAR;": {"shop/Kind.java:3 Kind", "shop/Kind.java:5 DEAR"}},
    }


class EveryLine:
    """A resolver for which every line needs the same thing; it counts what it is asked."""

    n_asked = 0

    def uses(self, file: SourceFile, numbers: Sequence[int]) -> dict[int, tuple[Target, ...]]:
        self.n_asked += 1
        return {number: (Target("other.py", 1, "x"),) for number in numbers}


def test_a_sample_takes_three_lines_of_a_file_and_stops_at_its_limit() -> None:
    files = [SourceFile(f"{name}.py", "python", "value = other\n" * 9) for name in "abcdef"]
    resolver = EveryLine()
    found = sample(resolver, files, code_lines, 7, seed=1)
    assert len(found) == 7
    assert resolver.n_asked == 9
    assert [sum(line.path == file for line in found) for file in dict.fromkeys(line.path for line in found)] == [
        3,
        3,
        1,
    ]
    assert sample(EveryLine(), files[::-1], code_lines, 7, seed=1) == found
    assert sample(EveryLine(), files, code_lines, 7, seed=2) != found
    assert len(sample(EveryLine(), files, code_lines, 0, seed=1)) == 18


def test_imports_comments_strings_and_short_lines_are_not_asked_for() -> None:
    text = '"""Words\nof a module."""\nfrom a import (\n    bbbbbbbb,\n)\n# comment\nx = 1\nlonger = bbbbbbbb\n'
    assert [number for number, _, _ in code_lines(SourceFile("a.py", "python", text))] == [1, 8]
    script = (
        "import a from './aaaa'\nexport * from './b'\nconst c = require('./c')\n// comment\nexport const value = a\n"
    )
    assert [number for number, _, _ in code_lines(SourceFile("a.ts", "typescript", script))] == [5]


PYTHON_BODY = 'def f():\n    """Words."""\n    first = 1\n    return first\n\nclass A:\n    field = 1\n'
SCRIPT_BODY = "function f() {\n  first()\n  second()\n}\nconst g = () => { first() }\n"
JAVA_BODIES = "class A {\n  A() {\n    first();\n  }\n  void f() {\n    second();\n  }\n}\n"


@pytest.mark.parametrize(
    ("path", "language", "text", "expected"),
    [
        ("a.py", "python", PYTHON_BODY, [(3, 2)]),
        ("a.py", "python", "def f(): return first\n", []),
        ("a.ts", "typescript", SCRIPT_BODY, [(2, 2)]),
        ("A.java", "java", JAVA_BODIES, [(3, 1), (6, 1)]),
    ],
)
def test_bodies_are_those_of_functions(path: str, language: str, text: str, expected: list[tuple[int, int]]) -> None:
    bodies = function_bodies(SourceFile(path, language, text))
    assert [(number, n_lines) for number, n_lines, _ in bodies] == expected


def test_what_was_found_is_kept_until_a_text_changes(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    files = write(tree, PYTHON)
    found = needed_lines(tree, "python", files, 2, 0)
    assert len(found) == 2
    (place,) = (cache_dir() / "resolved").glob("*.json")
    place.write_text('[{"path": "kept", "number": 1, "needs": [], "n_lines": 1}]')
    assert needed_lines(tree, "python", files, 2, 0) == [NeededLine("kept", 1, ())]
    assert needed_lines(tree, "python", [*files, SourceFile("z.py", "python", "")], 2, 0) == found
    place.write_text("half of a fi")
    assert needed_lines(tree, "python", files, 2, 0) == found


def test_a_body_needs_what_its_lines_need(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    client = 'from prices import tax\n\ndef total(price):\n    """Sum."""\n    rate = 1\n    return tax(price)\n'
    texts = {"prices.py": "def tax(price):\n    return price\n", "client.py": client}
    bodies = needed_bodies(tree, "python", write(tree, texts), 0, 0)
    assert bodies == [NeededLine("client.py", 5, (Target("prices.py", 1, "tax"),), n_lines=2)]


def test_a_language_without_a_resolver_or_files_is_said(tree: Path) -> None:
    with pytest.raises(EvalError, match="no resolver for 'cobol'"):
        needed_lines(tree, "cobol", [], 1, 0)
    with pytest.raises(EvalError, match="holds no java files"):
        needed_lines(tree, "java", [], 1, 0)


def test_missing_tools_are_said_with_their_remedy(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    files = write(tree, {**TYPESCRIPT, **JAVA})
    with pytest.raises(EvalError, match=r"install Node\.js"):
        needed_lines(tree, "typescript", files, 1, 0)
    with pytest.raises(EvalError, match="install a JDK"):
        needed_lines(tree, "java", files, 1, 0)
    with pytest.raises(EvalError, match="install npm"):
        typescript_library()
