; Definitions
(module_definition name: (identifier) @name . (_)? @body) @definition.module
(abstract_definition (type_head [
  (identifier) @name
  (binary_expression . (identifier) @name)
  (parametrized_type_expression . (identifier) @name)
  (binary_expression . (parametrized_type_expression . (identifier) @name))
])) @definition.type
(struct_definition (type_head [
  (identifier) @name
  (binary_expression . (identifier) @name)
  (parametrized_type_expression . (identifier) @name)
  (binary_expression . (parametrized_type_expression . (identifier) @name))
]) (block)? @body) @definition.struct
(struct_definition (type_head (binary_expression . [
  (identifier) @name
  (parametrized_type_expression . (identifier) @name)
] [(identifier) @base (parametrized_type_expression . (identifier) @base)] .)))
(abstract_definition (type_head (binary_expression . (identifier) @name (identifier) @base .)))
(struct_definition (block [
  (identifier) @name @definition.field
  (typed_expression . (identifier) @name) @definition.field
]))
(function_definition (signature [
  (call_expression . [(identifier) @name (field_expression (identifier) @name .)])
  (typed_expression . (call_expression . [(identifier) @name (field_expression (identifier) @name .)]))
  (where_expression . (call_expression . [(identifier) @name (field_expression (identifier) @name .)]))
  (where_expression . (typed_expression . (call_expression . (identifier) @name)))
]) (block)? @body) @definition.function
(macro_definition (signature (call_expression . (identifier) @name)) (block)? @body) @definition.macro
(assignment . [
  (call_expression . [(identifier) @name (field_expression (identifier) @name .)])
  (typed_expression . (call_expression . (identifier) @name))
  (where_expression . (call_expression . (identifier) @name))
] (operator) (_) @body) @definition.function
(source_file (assignment . (identifier) @name (operator) (arrow_function_expression) @body) @definition.function)
(block (assignment . (identifier) @name (operator) (arrow_function_expression) @body) @definition.function)
(const_statement (assignment . [(identifier) @name (typed_expression . (identifier) @name)])) @definition.constant
(source_file (assignment . (identifier) @name) @definition.variable)
(block (assignment . (identifier) @name) @definition.variable)

; Imports
(using_statement [(identifier) @import.path (import_path) @import.path])
(import_statement [(identifier) @import.path (import_path) @import.path])
(selected_import . [(identifier) (import_path)] @import.path [
  (identifier) @import.name
  (macro_identifier) @import.name
  (import_alias . (identifier) @import.name (identifier) @import.alias .)
])
((call_expression . (identifier) @_include (argument_list . (string_literal) @import.path)) (#eq? @_include "include"))

; References
(call_expression . (identifier) @reference.call)
(call_expression . (field_expression (identifier) @reference.call .))
(macrocall_expression . (macro_identifier (identifier) @reference.call))
(typed_expression (_) (identifier) @reference.type .)

; Scopes
(for_statement) @scope
(while_statement) @scope
(let_statement) @scope
(do_clause) @scope
