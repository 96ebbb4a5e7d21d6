"""McEval's languages, as data: one row each. Used by `mceval`.

Chai et al. 2024, "McEval: Massively Multilingual Code Evaluation"; data CC-BY-SA-4.0. HTML, JSON and Markdown have no
canonical solutions and are left out. AWK has no tests, and its problems are shell commands under a sentence.
"""

from dataclasses import dataclass
from urllib.parse import quote

from evals.suites.datasets import DataFile

_ORIGIN = "https://raw.githubusercontent.com/MCEVAL/McEval/09dec129dd5756447227239b3e5b47e543c2e0fd/data"
SPLITS = ("lines", "bodies")


@dataclass(frozen=True, slots=True, kw_only=True)
class McEvalLanguage:
    """One language of McEval.

    `path` is what its files are called here, `runtime` a name of `runtimes` ("" for none), `comment` what begins a
    comment where midfill has no grammar that knows, `prose` what a prompt that is no code is put behind.
    """

    name: str
    data: DataFile
    path: str
    runtime: str
    comment: str
    prose: str


def _row(
    name: str, sha256: str, extension: str, runtime: str = "", *, comment: str = "", prose: str = ""
) -> McEvalLanguage:
    file = f"{name}.jsonl"
    return McEvalLanguage(
        name=name,
        data=DataFile(folder="mceval", name=file, url=f"{_ORIGIN}/{quote(file)}", sha256=sha256),
        path=f"solution{extension}",
        runtime=runtime,
        comment=comment,
        prose=prose,
    )


LANGUAGES: tuple[McEvalLanguage, ...] = (
    _row("AWK", "8a867f9cfc4ebf87ee4916c4afe52006dc990c4a0423365b71741701389d1a7f", ".sh", prose="# "),
    _row("C#", "4a22df1e90e7c9909a47ba4070c3c32d520cac8d66de3d739fee64e8714752cf", ".cs"),
    _row("C", "1155876f8a3e2b8392ace6825a6917f7277bc46a78068b5dc25c08ab53182239", ".c", "c"),
    _row("CPP", "e303524cf0f73b1d6875a91166f7c9c98417188674c40bd5af7976ff5c24c811", ".cpp", "cpp"),
    _row("CoffeeScript", "c1ebe2eed4c046a86946fea33a95bffd22e105fbbdd6ec43ef42d86fd7760d1a", ".coffee", comment="#"),
    _row("Common Lisp", "637df800c9641148cfff61e80b694fefa74feb5c03b6688f3fefff49134e0755", ".lisp", comment=";"),
    _row("Dart", "d474500657797c41f6c49aa08d525efaa42738f9ef8e416be2cb6982cdb92878", ".dart"),
    _row("Elixir", "e4b42977a87bda62bca197cb0c58472e59eca393c3dc154af09f42c2a452e78a", ".exs"),
    _row("Emacs Lisp", "b5070be8a3919e4496725aed9f674bb7ac61a1c2e356a588448b599d155bc460", ".el", comment=";"),
    _row("Erlang", "dd652de6960ac9ba8f3cbda21c9fb2bee5332a6f61dca13f870c9697ea49f2ed", ".erl"),
    _row("F#", "cf2bf9480b6268d3afabb3f0068fb74a9050374749b1e98b62bf756004a887a5", ".fs", comment="//"),
    _row("Fortran", "c5e8068df9b24f410e95bb218ce2969407e0fa39148e8948c10ae5e5cb73a4c1", ".f90", comment="!"),
    _row("Go", "c25d91c8e4ca59fe0e82828845b32a6130bba8e801f43b5562b0e2d65ecb6131", ".go"),
    _row("Groovy", "ee285374fcea58225d8a3ef91c9286235eef89f31427dc46fb27d5d8a41412e9", ".groovy", comment="//"),
    _row("Haskell", "0c37c729d8a13973f341927ce6f8f642bc88c566726c386ba7c11c3bec1a3f1f", ".hs"),
    _row("Java", "89578a76b083167ed28ae8c5c860ac24b7ce370ddade2142d9aa2e30fa64fed7", ".java", "java"),
    _row("JavaScript", "fcdf0c4cd1dbc7b4e0ec05190203cfa320ecd3db47bce3c12ec1a8f40038496b", ".js", "javascript"),
    _row("Julia", "376898f539c2bc0f45f707beeba4f5abb52243af38f925afd3b6438fe3c907ab", ".jl"),
    _row("Kotlin", "8f861dc4787fa40b5c94f0a215cf2ffe4b28872746b1c3d06040468be2d01a72", ".kt"),
    _row("Lua", "9c55dfc73ab513079fa7583597c01b2150a34459e87a5fab7ab6162ae7a9dab8", ".lua", "lua"),
    _row("PHP", "4005826f546cdfa2d72a6159fb8beb75758e90ad708fc0b74fbbd1ddf429484c", ".php", "php"),
    _row("Pascal", "719b11399b7c8f638a8891e8551c145b7f5267af7a91e6fb2a112b27d604ef6d", ".pas", comment="//"),
    _row("Perl", "2c1b4f8b920c092d8c6e0b3ea5672e2ab3130184af923857cffbf1e985f84411", ".pl", "perl"),
    _row("PowerShell", "718cac2a29d09d8f607fbbe8e7f6af4297f070a1a155bf3466c14d5bc4864d07", ".ps1"),
    _row("Python", "6e84bef2dd4e55033691da7ed3b506cec75d7efa1d9fff48d629704e36e56eda", ".py", "python"),
    _row("R", "e8b9f62f57af4c8401e36f18c160fe781b61718ff747191e36c16a96bbdaaaf3", ".r", "r"),
    _row("Racket", "618b4eb57d71f648b9b69bfd8b0f7e31675dbd97de06c5ed29d353c076817a23", ".rkt", comment=";"),
    _row("Ruby", "73e4ed32b3e88dce3e69111c5a8ac700a3ceffca8b39b8684dc954ef00bc4e44", ".rb", "ruby"),
    _row("Rust", "721cd2eefbe52fac7c86026f8e48576be3828a11d6128330e97fbb332c9c7f38", ".rs", "rust"),
    _row("Scala", "ffdcd21386a168fe678747b93e536bf245eee330056724c5e4d06a73fb4eec6a", ".scala"),
    _row("Scheme", "c26065468246c6584716c07aba251b6be0b03b8b22acb6f302232b65ad7bc4f7", ".scm", comment=";"),
    _row("Shell", "dc19a9f8f38a237824895e81b2469042752ae74b8b87f528105b8bbd99c3b976", ".sh", "shell"),
    _row("Swift", "76a4bd09b1beca873f6f2dc0462be7dd6af3a3e4f2da66fc29ee5e726301aea0", ".swift"),
    _row("Tcl", "a95cdd0e196c87d0e1ce00cea0a7466c05e664b0e040339cafe006a4065e3370", ".tcl", "tcl", comment="#"),
    _row("TypeScript", "8b4ae969d8ec72929fe44c0ddbd5b431feff5947d58a38fbbb5ac5db061451b7", ".ts"),
    _row(
        "VimScript",
        "a3139feb68414a0a05de76092f42afe23fb0173646dbe51aa03fb705d7fe4a3c",
        ".vim",
        "vimscript",
        comment='"',
    ),
    _row("Visual Basic", "ca092c086ac0e8ed94ab532d448f85798beccaf14f948f1986825497178d37d4", ".vb", comment="'"),
)
BY_NAME = {row.name: row for row in LANGUAGES}
