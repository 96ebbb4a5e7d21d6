; Definitions
(function_item name: (_) @name body: (_) @body) @definition.function
(function_signature_item name: (_) @name) @definition.function
(struct_item name: (type_identifier) @name body: (field_declaration_list) @body) @definition.struct
(struct_item name: (type_identifier) @name) @definition.struct
(union_item name: (type_identifier) @name body: (_) @body) @definition.struct
(enum_item name: (type_identifier) @name body: (_) @body) @definition.enum
(enum_variant name: (identifier) @name) @definition.field
(field_declaration name: (field_identifier) @name) @definition.field
(trait_item name: (type_identifier) @name body: (_) @body) @definition.interface
(impl_item type: [
  (type_identifier) @name
  (generic_type type: (type_identifier) @name)
  (scoped_type_identifier name: (type_identifier) @name)
  (generic_type type: (scoped_type_identifier name: (type_identifier) @name))
  (primitive_type) @name
  (reference_type) @name
] body: (_) @body) @definition.extension
(mod_item name: (identifier) @name body: (_) @body) @definition.module
(const_item name: (identifier) @name) @definition.constant
(static_item name: (identifier) @name) @definition.variable
(type_item name: (type_identifier) @name) @definition.type
(associated_type name: (type_identifier) @name) @definition.type
(macro_definition name: (identifier) @name (macro_rule) @body) @definition.macro
(attribute_item) @decorator

(impl_item trait: [
  (type_identifier) @base
  (generic_type type: (type_identifier) @base)
  (scoped_type_identifier name: (type_identifier) @base)
  (generic_type type: (scoped_type_identifier name: (type_identifier) @base))
] type: [
  (type_identifier) @name
  (generic_type type: (type_identifier) @name)
  (scoped_type_identifier name: (type_identifier) @name)
  (generic_type type: (scoped_type_identifier name: (type_identifier) @name))
  (primitive_type) @name
  (reference_type) @name
])
(trait_item name: (type_identifier) @name bounds: (trait_bounds [
  (type_identifier) @base
  (generic_type type: (type_identifier) @base)
  (scoped_type_identifier name: (type_identifier) @base)
]))

; Imports: lists in lists, two deep.
(use_declaration argument: (identifier) @import.path)
(use_declaration argument: (scoped_identifier path: (_) @import.path name: (_) @import.name))
(use_declaration argument: (use_as_clause
  path: (scoped_identifier path: (_) @import.path name: (_) @import.name) alias: (_) @import.alias))
(use_declaration argument: (use_as_clause path: (identifier) @import.path alias: (_) @import.alias))
(use_declaration argument: (use_wildcard (_) @import.path))
(use_declaration argument: (scoped_use_list path: (_) @import.path list: (use_list [
  (identifier) @import.name
  (self) @import.name
  (use_as_clause path: (identifier) @import.name alias: (_) @import.alias)
  (use_wildcard (_) @import.path)
])))
(use_declaration argument: (scoped_use_list path: (_) @import.path list: (use_list
  (scoped_identifier path: (_) @import.path name: (_) @import.name))))
(use_declaration argument: (scoped_use_list path: (_) @import.path list: (use_list
  (scoped_use_list path: (_) @import.path list: (use_list [
    (identifier) @import.name
    (self) @import.name
    (use_as_clause path: (identifier) @import.name alias: (_) @import.alias)
    (scoped_identifier path: (_) @import.path name: (_) @import.name)
    (use_wildcard (_) @import.path)
  ])))))
(extern_crate_declaration name: (identifier) @import.path)
(mod_item name: (identifier) @import.path !body)

; References
(call_expression function: (identifier) @reference.call)
(call_expression function: (field_expression field: (field_identifier) @reference.call))
(call_expression function: (scoped_identifier name: (identifier) @reference.call))
(call_expression function: (generic_function function: [
  (identifier) @reference.call
  (scoped_identifier name: (identifier) @reference.call)
  (field_expression field: (field_identifier) @reference.call)
]))
(macro_invocation macro: (identifier) @reference.call)
(macro_invocation macro: (scoped_identifier name: (identifier) @reference.call))
(type_identifier) @reference.type

; Scopes
(block) @scope
(closure_expression) @scope
