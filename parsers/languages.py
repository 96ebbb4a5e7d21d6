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
    block_comment: tuple[str, str] | None = None
    block_style: BlockStyle = BlockStyle.NONE
    strings: tuple[str, ...] = ("string",)  # node types whose inside is text, not code
    comments: tuple[str, ...] = ("comment",)
    blocks: tuple[str, ...] = ("block",)  # node types that are the body of something
    definitions: tuple[str, ...] = ()  # node types of functions, methods, classes and the like
    folder_scope: bool = False  # files see what others in their folder define, without an import
    queries: tuple[str, ...] = ()  # names of .scm files in parsers/queries, special ones first


def _row(
    id: str, name: str, extensions: str, *, grammar: str | None = None, lsp: str = "", files: str = "",
    comment: str | None = None, between: str = "", style: BlockStyle = BlockStyle.NONE, strings: str = "string",
    comments: str = "comment", blocks: str = "block", definitions: str = "",
    queries: str = "", folder_scope: bool = False,
) -> Language:  # fmt: skip
    return Language(
        id=id,
        name=name,
        grammar=grammar or id,
        extensions=tuple(extensions.split()),
        lsp_ids=(id, *lsp.split()),
        filenames=tuple(files.split()),
        line_comment=comment,
        block_comment=(between.split()[0], between.split()[1]) if between else None,
        block_style=style,
        strings=tuple(strings.split()),
        comments=tuple(comments.split()),
        blocks=tuple(blocks.split()),
        definitions=tuple(definitions.split()),
        folder_scope=folder_scope,
        queries=tuple(queries.split()) or (id,),
    )


_INDENT, _BRACE, _END = BlockStyle.INDENT, BlockStyle.BRACE, BlockStyle.END
PLAINTEXT = Language(id="plaintext", name="Plain text", grammar=None, extensions=(".txt",), lsp_ids=("plaintext",))

_JS_DEFINITIONS = (
    "function_declaration generator_function_declaration function_expression arrow_function method_definition "
    "class_declaration class"
)
_TS_BLOCKS = "statement_block class_body object interface_body object_type enum_body switch_body"
_TS_DEFINITIONS = (
    f"{_JS_DEFINITIONS} abstract_class_declaration interface_declaration enum_declaration "
    "type_alias_declaration internal_module"
)

LANGUAGES: tuple[Language, ...] = (
    _row("python", "Python", ".py .pyi .pyw", comment="#", style=_INDENT,
         definitions="function_definition class_definition"),
    _row("javascript", "JavaScript", ".js .mjs .cjs .jsx", lsp="javascriptreact", comment="//", between="/* */", style=_BRACE,
         strings="string template_string regex", blocks="statement_block class_body object switch_body",
         definitions=_JS_DEFINITIONS, queries="javascript ecmascript jsx"),
    _row("typescript", "TypeScript", ".ts .mts .cts", comment="//", between="/* */", style=_BRACE,
         strings="string template_string regex", blocks=_TS_BLOCKS, definitions=_TS_DEFINITIONS,
         queries="typescript ecmascript"),
    _row("tsx", "TSX", ".tsx", lsp="typescriptreact", comment="//", between="/* */", style=_BRACE,
         strings="string template_string regex", blocks=_TS_BLOCKS, definitions=_TS_DEFINITIONS,
         queries="typescript ecmascript jsx"),
    _row("java", "Java", ".java", folder_scope=True, comment="//", between="/* */", style=_BRACE, strings="string_literal character_literal",
         comments="line_comment block_comment",
         blocks="block class_body interface_body enum_body constructor_body switch_block",
         definitions="method_declaration constructor_declaration compact_constructor_declaration "
         "class_declaration interface_declaration enum_declaration record_declaration"),
    _row("c", "C", ".c .h", comment="//", between="/* */", style=_BRACE, strings="string_literal char_literal system_lib_string",
         blocks="compound_statement field_declaration_list enumerator_list initializer_list",
         definitions="function_definition struct_specifier union_specifier enum_specifier"),
    _row("cpp", "C++", ".cpp .cc .cxx .hpp .hh .hxx .ipp", comment="//", between="/* */", style=_BRACE,
         strings="string_literal char_literal raw_string_literal system_lib_string",
         blocks="compound_statement field_declaration_list enumerator_list declaration_list",
         definitions="function_definition class_specifier struct_specifier union_specifier enum_specifier "
         "namespace_definition", queries="cpp c"),
    _row("csharp", "C#", ".cs", folder_scope=True, lsp="c_sharp cs", comment="//", between="/* */", style=_BRACE,
         strings="string_literal character_literal verbatim_string_literal raw_string_literal "
         "interpolated_string_expression", blocks="block declaration_list enum_member_declaration_list switch_body",
         definitions="method_declaration constructor_declaration property_declaration "
         "local_function_statement class_declaration struct_declaration interface_declaration "
         "enum_declaration record_declaration"),
    _row("go", "Go", ".go", folder_scope=True, comment="//", between="/* */", style=_BRACE,
         strings="interpreted_string_literal raw_string_literal rune_literal",
         blocks="block field_declaration_list interface_type literal_value",
         definitions="function_declaration method_declaration type_declaration"),
    _row("rust", "Rust", ".rs", comment="//", between="/* */", style=_BRACE, strings="string_literal raw_string_literal char_literal",
         comments="line_comment block_comment",
         blocks="block declaration_list field_declaration_list enum_variant_list match_block",
         definitions="function_item impl_item trait_item struct_item enum_item union_item mod_item "
         "macro_definition"),
    _row("ruby", "Ruby", ".rb .rake .gemspec", files="Rakefile Gemfile", comment="#", between="=begin =end", style=_END,
         strings="string heredoc_body regex", blocks="body_statement block_body do_block block then method class module",
         definitions="method singleton_method class singleton_class module"),
    _row("php", "PHP", ".php .phtml", comment="//", between="/* */", style=_BRACE, strings="string encapsed_string heredoc nowdoc",
         blocks="compound_statement declaration_list switch_block",
         definitions="function_definition method_declaration class_declaration interface_declaration "
         "trait_declaration enum_declaration"),
    _row("swift", "Swift", ".swift", folder_scope=True, comment="//", between="/* */", style=_BRACE,
         strings="line_string_literal multi_line_string_literal raw_string_literal",
         comments="comment multiline_comment", blocks="function_body class_body statements enum_class_body",
         definitions="function_declaration init_declaration deinit_declaration subscript_declaration "
         "class_declaration protocol_declaration"),
    _row("kotlin", "Kotlin", ".kt .kts", folder_scope=True, comment="//", between="/* */", style=_BRACE,
         strings="string_literal character_literal", comments="line_comment multiline_comment",
         blocks="function_body class_body control_structure_body lambda_literal",
         definitions="function_declaration secondary_constructor class_declaration object_declaration"),
    _row("scala", "Scala", ".scala .sc", folder_scope=True, comment="//", between="/* */", style=_BRACE, strings="string interpolated_string",
         comments="comment block_comment", blocks="block template_body case_block indented_block",
         definitions="function_definition class_definition object_definition trait_definition "
         "enum_definition extension_definition"),
    _row("lua", "Lua", ".lua", comment="--", between="--[[ ]]", style=_END,
         blocks="block function_declaration function_definition do_statement if_statement for_statement",
         definitions="function_declaration function_definition"),
    _row("bash", "Shell", ".sh .bash .zsh", lsp="shellscript sh zsh", files=".bashrc .bash_profile .profile .zshrc",
         comment="#", style=_END, strings="string raw_string heredoc_body ansi_c_string",
         blocks="compound_statement do_group if_statement case_statement",
         definitions="function_definition"),
    _row("haskell", "Haskell", ".hs", comment="--", between="{- -}", style=_INDENT, strings="string char",
         comments="comment haddock", blocks="local_binds do alternatives match class_declarations",
         definitions="function class instance data_type"),
    _row("elixir", "Elixir", ".ex .exs", comment="#", style=_END, strings="string charlist sigil", blocks="do_block"),
    _row("ocaml", "OCaml", ".ml", between="(* *)", style=_INDENT, strings="string character quoted_string",
         blocks="let_expression match_expression fun_expression structure parenthesized_expression let_binding",
         definitions="value_definition method_definition class_definition module_definition type_definition"),
    _row("ocaml_interface", "OCaml interface", ".mli", lsp="ocaml.interface", between="(* *)", style=_INDENT,
         strings="string character quoted_string", blocks="signature object_type record_declaration",
         definitions="value_specification class_type_definition module_definition module_type_definition "
         "type_definition"),
    _row("perl", "Perl", ".pl .pm .t", comment="#", style=_BRACE,
         strings="string_literal interpolated_string_literal heredoc_content string_content",
         comments="comment pod", blocks="block",
         definitions="subroutine_declaration_statement method_declaration_statement class_statement"),
    _row("r", "R", ".r", lsp="rsplus", files=".Rprofile", comment="#", style=_BRACE, blocks="braced_expression",
         definitions="function_definition"),
    _row("julia", "Julia", ".jl", comment="#", between="#= =#", style=_END, strings="string_literal command_literal character_literal",
         comments="line_comment block_comment",
         blocks="function_definition if_statement for_statement while_statement struct_definition module_definition "
         "block",
         definitions="function_definition macro_definition struct_definition module_definition"),
    _row("dart", "Dart", ".dart", comment="//", between="/* */", style=_BRACE, strings="string_literal",
         comments="comment documentation_comment", blocks="block class_body function_body enum_body",
         definitions="function_body class_definition mixin_declaration extension_declaration "
         "enum_declaration"),
    _row("zig", "Zig", ".zig .zon", comment="//", style=_BRACE, strings="STRINGLITERALSINGLE LINESTRING CHAR_LITERAL",
         comments="line_comment doc_comment container_doc_comment", blocks="Block ContainerDecl",
         definitions="Decl TestDecl"),
    _row("sql", "SQL", ".sql", lsp="postgres mysql", comment="--", between="/* */", strings="literal",
         comments="comment marginalia", blocks="column_definitions block subquery",
         definitions="create_table create_view create_function"),
    _row("html", "HTML", ".html .htm .xhtml", between="<!-- -->", strings="attribute_value quoted_attribute_value", blocks="element"),
    _row("css", "CSS", ".css", between="/* */", style=_BRACE, strings="string_value", blocks="block"),
    _row("scss", "SCSS", ".scss", comment="//", between="/* */", style=_BRACE, strings="string_value",
         comments="comment js_comment", blocks="block"),
    _row("json", "JSON", ".json .jsonc .ipynb", lsp="jsonc", between="/* */", style=_BRACE, blocks="object array"),
    _row("yaml", "YAML", ".yaml .yml", lsp="dockercompose github-actions-workflow", comment="#", style=_INDENT,
         strings="double_quote_scalar single_quote_scalar block_scalar", blocks="block_mapping block_sequence"),
    _row("toml", "TOML", ".toml", comment="#", blocks="table table_array_element array inline_table",
         definitions="table"),
    _row("markdown", "Markdown", ".md .markdown .rmd .qmd", lsp="rmd quarto", between="<!-- -->", strings="", comments="html_block", blocks="section list_item",
         definitions="section"),
    _row("make", "Makefile", ".mk", lsp="makefile", files="Makefile makefile GNUmakefile", comment="#",
         strings="", blocks="recipe",
         definitions="rule"),
    _row("dockerfile", "Dockerfile", ".dockerfile", files="Dockerfile Containerfile", comment="#",
         strings="double_quoted_string single_quoted_string json_string", blocks=""),
    _row("cmake", "CMake", ".cmake", files="CMakeLists.txt", comment="#", between="#[[ ]]", strings="quoted_argument bracket_argument",
         comments="line_comment bracket_comment", blocks="body",
         definitions="function_def macro_def"),
    _row("powershell", "PowerShell", ".ps1 .psm1 .psd1", lsp="ps1", comment="#", between="<# #>", style=_BRACE,
         strings="string_literal expandable_string_literal verbatim_string_characters",
         blocks="script_block statement_block",
         definitions="function_statement class_statement class_method_definition enum_statement"),
    _row("objc", "Objective-C", ".m .mm", lsp="objective-c objective-cpp objcpp", comment="//", between="/* */", style=_BRACE,
         strings="string_literal char_literal", blocks="compound_statement",
         queries="objc c", definitions="function_definition method_definition class_interface class_implementation "
         "protocol_declaration"),
    _row("proto", "Protocol Buffers", ".proto", lsp="proto3", comment="//", between="/* */", style=_BRACE,
         blocks="message_body enum_body service",
         definitions="message service enum"),
    _row("hcl", "Terraform", ".tf .hcl .tfvars", lsp="terraform terraform-vars", comment="#", between="/* */", style=_BRACE,
         strings="string_lit quoted_template template_literal heredoc_template", blocks="body block",
         definitions="block"),
    _row("erlang", "Erlang", ".erl .hrl", comment="%", style=_END, blocks="clause_body",
         definitions="fun_decl"),
    _row("clojure", "Clojure", ".clj .cljs .cljc .edn", comment=";", strings="str_lit", blocks="list_lit vec_lit map_lit"),
    _row("nix", "Nix", ".nix", comment="#", between="/* */", style=_BRACE, strings="string_expression indented_string_expression",
         blocks="attrset_expression let_expression binding_set"),
    _row("vue", "Vue", ".vue", queries="component", between="<!-- -->", strings="quoted_attribute_value",
         blocks="element template_element script_element style_element"),
    _row("svelte", "Svelte", ".svelte", queries="component", between="<!-- -->", strings="quoted_attribute_value",
         blocks="element script_element style_element if_statement each_statement"),
    _row("graphql", "GraphQL", ".graphql .gql", comment="#", style=_BRACE, strings="string_value",
         blocks="fields_definition enum_values_definition input_fields_definition selection_set",
         definitions="object_type_definition interface_type_definition enum_type_definition "
         "input_object_type_definition operation_definition fragment_definition"),
    _row("solidity", "Solidity", ".sol", comment="//", between="/* */", style=_BRACE, strings="string",
         blocks="contract_body function_body block_statement struct_body enum_body",
         definitions="function_definition modifier_definition constructor_definition contract_declaration "
         "interface_declaration library_declaration struct_declaration enum_declaration"),
    _row("starlark", "Starlark", ".bzl .star", lsp="bazel bzl", files="BUILD BUILD.bazel WORKSPACE", comment="#",
         style=_INDENT, definitions="function_definition"),
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
