"""The languages, as data: one row each. Adding a language is adding a row and a sample (CONTRIBUTING).

Rules: nothing elsewhere tests for a language by name; what differs between languages is a column here.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from urllib.parse import unquote, urlparse


class BlockStyle(StrEnum):
    """What ends a block: dedentation, a closing brace, a keyword such as `end`, or nothing (data, prose)."""

    INDENT = "indent"
    BRACE = "brace"
    END = "end"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One language. `grammar` is its name in tree_sitter_language_pack, None for plain text."""

    id: str
    name: str
    grammar: str | None
    extensions: tuple[str, ...]
    lsp_ids: tuple[str, ...]
    filenames: tuple[str, ...] = ()
    line_comment: str | None = None
    block_style: BlockStyle = BlockStyle.NONE
    strings: tuple[str, ...] = ("string",)  # node types whose inside is text, not code
    comments: tuple[str, ...] = ("comment",)
    blocks: tuple[str, ...] = ("block",)  # node types that are the body of something


def _row(
    id: str, name: str, extensions: str, *, grammar: str | None = None, lsp: str = "", files: str = "",
    comment: str | None = None, style: BlockStyle = BlockStyle.NONE, strings: str = "string",
    comments: str = "comment", blocks: str = "block",
) -> Language:  # fmt: skip
    return Language(
        id=id,
        name=name,
        grammar=grammar or id,
        extensions=tuple(extensions.split()),
        lsp_ids=(id, *lsp.split()),
        filenames=tuple(files.split()),
        line_comment=comment,
        block_style=style,
        strings=tuple(strings.split()),
        comments=tuple(comments.split()),
        blocks=tuple(blocks.split()),
    )


_INDENT, _BRACE, _END = BlockStyle.INDENT, BlockStyle.BRACE, BlockStyle.END
PLAINTEXT = Language(
    id="plaintext", name="Plain text", grammar=None, extensions=(".txt",), lsp_ids=("plaintext",)
)

LANGUAGES: tuple[Language, ...] = (
    _row("python", "Python", ".py .pyi .pyw", comment="#", style=_INDENT),
    _row("javascript", "JavaScript", ".js .mjs .cjs .jsx", lsp="javascriptreact", comment="//", style=_BRACE,
         strings="string template_string regex", blocks="statement_block class_body object switch_body"),
    _row("typescript", "TypeScript", ".ts .mts .cts", comment="//", style=_BRACE,
         strings="string template_string regex",
         blocks="statement_block class_body object interface_body object_type enum_body switch_body"),
    _row("tsx", "TSX", ".tsx", lsp="typescriptreact", comment="//", style=_BRACE,
         strings="string template_string regex",
         blocks="statement_block class_body object interface_body object_type enum_body switch_body"),
    _row("java", "Java", ".java", comment="//", style=_BRACE, strings="string_literal character_literal",
         comments="line_comment block_comment",
         blocks="block class_body interface_body enum_body constructor_body switch_block"),
    _row("c", "C", ".c .h", comment="//", style=_BRACE, strings="string_literal char_literal system_lib_string",
         blocks="compound_statement field_declaration_list enumerator_list initializer_list"),
    _row("cpp", "C++", ".cpp .cc .cxx .hpp .hh .hxx .ipp", comment="//", style=_BRACE,
         strings="string_literal char_literal raw_string_literal system_lib_string",
         blocks="compound_statement field_declaration_list enumerator_list declaration_list"),
    _row("csharp", "C#", ".cs", lsp="c_sharp", comment="//", style=_BRACE,
         strings="string_literal character_literal verbatim_string_literal raw_string_literal "
         "interpolated_string_expression", blocks="block declaration_list enum_member_declaration_list switch_body"),
    _row("go", "Go", ".go", comment="//", style=_BRACE,
         strings="interpreted_string_literal raw_string_literal rune_literal",
         blocks="block field_declaration_list interface_type literal_value"),
    _row("rust", "Rust", ".rs", comment="//", style=_BRACE, strings="string_literal raw_string_literal char_literal",
         comments="line_comment block_comment",
         blocks="block declaration_list field_declaration_list enum_variant_list match_block"),
    _row("ruby", "Ruby", ".rb .rake .gemspec", files="Rakefile Gemfile", comment="#", style=_END,
         strings="string heredoc_body regex", blocks="body_statement block_body do_block block then method class module"),
    _row("php", "PHP", ".php .phtml", comment="//", style=_BRACE, strings="string encapsed_string heredoc nowdoc",
         blocks="compound_statement declaration_list switch_block"),
    _row("swift", "Swift", ".swift", comment="//", style=_BRACE,
         strings="line_string_literal multi_line_string_literal raw_string_literal",
         comments="comment multiline_comment", blocks="function_body class_body statements enum_class_body"),
    _row("kotlin", "Kotlin", ".kt .kts", comment="//", style=_BRACE,
         strings="string_literal character_literal multiline_string_literal",
         comments="line_comment multiline_comment block_comment comment",
         blocks="function_body class_body control_structure_body lambda_literal"),
    _row("scala", "Scala", ".scala .sc", comment="//", style=_BRACE, strings="string interpolated_string",
         comments="comment block_comment", blocks="block template_body case_block indented_block"),
    _row("lua", "Lua", ".lua", comment="--", style=_END,
         blocks="block function_declaration function_definition do_statement if_statement for_statement"),
    _row("bash", "Shell", ".sh .bash .zsh", lsp="shellscript sh", files=".bashrc .bash_profile .profile .zshrc",
         comment="#", style=_END, strings="string raw_string heredoc_body ansi_c_string",
         blocks="compound_statement do_group if_statement case_statement"),
    _row("haskell", "Haskell", ".hs", comment="--", style=_INDENT, strings="string char",
         comments="comment haddock", blocks="local_binds do alternatives match class_declarations"),
    _row("elixir", "Elixir", ".ex .exs", comment="#", style=_END, strings="string charlist sigil", blocks="do_block"),
    _row("ocaml", "OCaml", ".ml", comment=None, style=_INDENT, strings="string character quoted_string",
         blocks="let_expression match_expression fun_expression structure parenthesized_expression let_binding"),
    _row("perl", "Perl", ".pl .pm .t", comment="#", style=_BRACE,
         strings="string_literal interpolated_string_literal heredoc_content string_content",
         comments="comment pod", blocks="block"),
    _row("r", "R", ".r .rmd", lsp="rsplus", files=".Rprofile", comment="#", style=_BRACE, blocks="braced_expression"),
    _row("julia", "Julia", ".jl", comment="#", style=_END, strings="string_literal command_literal character_literal",
         comments="line_comment block_comment",
         blocks="function_definition if_statement for_statement while_statement struct_definition module_definition "
         "block"),
    _row("dart", "Dart", ".dart", comment="//", style=_BRACE, strings="string_literal",
         comments="comment documentation_comment", blocks="block class_body function_body enum_body"),
    _row("zig", "Zig", ".zig .zon", comment="//", style=_BRACE, strings="string multiline_string character STRINGLITERALSINGLE",
         comments="comment line_comment doc_comment",
         blocks="Block ContainerDecl"),
    _row("sql", "SQL", ".sql", lsp="postgres mysql", comment="--", strings="literal",
         comments="comment marginalia", blocks="column_definitions block subquery"),
    _row("html", "HTML", ".html .htm .xhtml", strings="attribute_value quoted_attribute_value", blocks="element"),
    _row("css", "CSS", ".css", style=_BRACE, strings="string_value", blocks="block"),
    _row("scss", "SCSS", ".scss", comment="//", style=_BRACE, strings="string_value",
         comments="comment js_comment", blocks="block"),
    _row("json", "JSON", ".json .jsonc .ipynb", lsp="jsonc", style=_BRACE, blocks="object array"),
    _row("yaml", "YAML", ".yaml .yml", comment="#", style=_INDENT,
         strings="double_quote_scalar single_quote_scalar block_scalar", blocks="block_mapping block_sequence"),
    _row("toml", "TOML", ".toml", comment="#", blocks="table table_array_element array inline_table"),
    _row("markdown", "Markdown", ".md .markdown", strings="", comments="html_block", blocks="section list_item"),
    _row("make", "Makefile", ".mk", lsp="makefile", files="Makefile makefile GNUmakefile", comment="#",
         strings="", blocks="recipe"),
    _row("dockerfile", "Dockerfile", ".dockerfile", files="Dockerfile Containerfile", comment="#",
         strings="double_quoted_string single_quoted_string json_string", blocks=""),
    _row("cmake", "CMake", ".cmake", files="CMakeLists.txt", comment="#", strings="quoted_argument bracket_argument",
         comments="line_comment bracket_comment", blocks="body"),
    _row("powershell", "PowerShell", ".ps1 .psm1", comment="#", style=_BRACE,
         strings="string_literal expandable_string_literal verbatim_string_characters",
         blocks="script_block statement_block"),
    _row("objc", "Objective-C", ".m .mm", lsp="objective-c objective-cpp", comment="//", style=_BRACE,
         strings="string_literal char_literal", blocks="compound_statement"),
    _row("proto", "Protocol Buffers", ".proto", lsp="proto3", comment="//", style=_BRACE,
         blocks="message_body enum_body service"),
    _row("hcl", "Terraform", ".tf .hcl .tfvars", lsp="terraform", comment="#", style=_BRACE,
         strings="string_lit quoted_template template_literal heredoc_template", blocks="body block"),
    _row("erlang", "Erlang", ".erl .hrl", comment="%", style=_END, blocks="clause_body"),
    _row("clojure", "Clojure", ".clj .cljs .cljc .edn", comment=";", strings="str_lit", blocks="list_lit vec_lit map_lit"),
    _row("nix", "Nix", ".nix", comment="#", style=_BRACE, strings="string_expression indented_string_expression",
         blocks="attrset_expression let_expression binding_set"),
)  # fmt: skip

_BY_ID = {row.id: row for row in LANGUAGES}
_BY_LSP_ID = {lsp_id: row for row in LANGUAGES for lsp_id in row.lsp_ids}
_BY_FILENAME = {filename: row for row in LANGUAGES for filename in row.filenames}
_BY_EXTENSION = {extension: row for row in LANGUAGES for extension in row.extensions}


def by_id(language_id: str) -> Language:
    """The row of an id; PLAINTEXT when there is none."""
    return _BY_ID.get(language_id, PLAINTEXT)


def for_document(uri_or_path: str, lsp_language_id: str | None = None) -> Language:
    """The language of a document: by the editor's id, else by file name, else by extension, else PLAINTEXT."""
    if lsp_language_id is not None and (row := _BY_LSP_ID.get(lsp_language_id.lower())):
        return row
    path = PurePosixPath(unquote(urlparse(uri_or_path).path if "://" in uri_or_path else uri_or_path))
    return _BY_FILENAME.get(path.name) or _BY_EXTENSION.get(path.suffix.lower()) or PLAINTEXT
