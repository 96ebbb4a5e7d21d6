; Definitions are calls of macros; the clauses of one function are one symbol.
((call target: (identifier) @_def (arguments (alias) @name) (do_block) @body) @definition.module
  (#eq? @_def "defmodule"))
((call target: (identifier) @_def (arguments (alias) @name) (do_block) @body) @definition.interface
  (#eq? @_def "defprotocol"))
((call target: (identifier) @_def
  (arguments (alias) @base (keywords (pair key: (keyword) @_for value: (alias) @name))) (do_block) @body)
  @definition.extension (#eq? @_def "defimpl"))
((call target: (identifier) @_def (arguments . [
  (call target: (identifier) @name)
  (identifier) @name
  (binary_operator left: (call target: (identifier) @name))
  (binary_operator left: (identifier) @name)
]) (do_block)? @body) @definition.clause
  (#any-of? @_def "def" "defp" "defguard" "defguardp" "defdelegate"))
((call target: (identifier) @_def (arguments . [
  (call target: (identifier) @name)
  (identifier) @name
  (binary_operator left: (call target: (identifier) @name))
]) (do_block)? @body) @definition.macro
  (#any-of? @_def "defmacro" "defmacrop"))
((call target: (identifier) @_def (arguments [
  (list (atom) @name)
  (keywords (pair key: (keyword) @name))
  (list (keywords (pair key: (keyword) @name)))
])) @definition.field (#any-of? @_def "defstruct" "defexception"))
((unary_operator operand: (call target: (identifier) @_type (arguments (binary_operator
  left: [(call target: (identifier) @name) (identifier) @name])))) @definition.type
  (#any-of? @_type "type" "typep" "opaque"))
((unary_operator operand: (call target: (identifier) @_callback (arguments (binary_operator
  left: (call target: (identifier) @name))))) @definition.method
  (#any-of? @_callback "callback" "macrocallback"))
((unary_operator operand: (call target: (identifier) @name (arguments))) @definition.constant
  (#not-match? @name "^(doc|moduledoc|typedoc|spec|impl|type|typep|opaque|behaviour|callback|macrocallback|derive|enforce_keys|tag|moduletag|describetag|optional_callbacks|deprecated|dialyzer|compile|since|on_load|before_compile|after_compile|external_resource)$"))
((unary_operator operand: (call target: (identifier) @_attribute)) @decorator
  (#any-of? @_attribute "spec" "impl"))
((unary_operator operand: (call target: (identifier) @_attribute)) @comment
  (#any-of? @_attribute "doc" "typedoc"))

; Imports
((call target: (identifier) @_import (arguments . (alias) @import.path
  (keywords (pair key: (keyword) @_as value: (alias) @import.alias))))
  (#any-of? @_import "alias" "require") (#match? @_as "^as:"))
((call target: (identifier) @_import (arguments . (alias) @import.path))
  (#any-of? @_import "import" "alias" "use" "require"))
((call target: (identifier) @_import (arguments . (dot left: (alias) @import.path right: (tuple (alias) @import.name))))
  (#any-of? @_import "alias" "import" "use" "require"))

; References
((call target: (identifier) @reference.call)
  (#not-match? @reference.call "^(def|defp|defmodule|defmacro|defmacrop|defstruct|defprotocol|defimpl|alias|import|use|require|if|unless|case|cond|with|for|doc|moduledoc|typedoc|spec)$"))
(call target: (dot right: (identifier) @reference.call))
(alias) @reference.type
