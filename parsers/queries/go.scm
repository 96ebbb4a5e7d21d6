; Definitions
(function_declaration name: (identifier) @name body: (_)? @body) @definition.function
(method_declaration name: (field_identifier) @name body: (_)? @body) @definition.method
(type_declaration "type" . (type_spec name: (_) @name type: (struct_type (field_declaration_list) @body)) .) @definition.struct
(type_declaration "type" . (type_spec name: (_) @name type: (interface_type "{" @body)) .) @definition.interface
(type_declaration "type" . (type_spec name: (_) @name) .) @definition.type
(type_spec name: (type_identifier) @name type: (struct_type (field_declaration_list) @body)) @definition.struct
(type_spec name: (type_identifier) @name type: (interface_type "{" @body)) @definition.interface
(type_spec name: (type_identifier) @name) @definition.type
(type_declaration (type_alias name: (type_identifier) @name)) @definition.type
(method_elem name: (field_identifier) @name) @definition.method
(field_declaration name: (field_identifier) @name) @definition.field
(const_declaration "const" . (const_spec name: (identifier) @name) .) @definition.constant
(const_spec name: (identifier) @name) @definition.constant
(var_declaration "var" . (var_spec name: (identifier) @name) .) @definition.variable
(var_spec name: (identifier) @name) @definition.variable

; An embedded type lends its fields and methods, as a base class does.
(type_spec name: (_) @name type: (struct_type (field_declaration_list (field_declaration !name type: [
  (type_identifier) @base
  (qualified_type name: (type_identifier) @base)
  (generic_type type: (type_identifier) @base)
]))))
(type_spec name: (_) @name type: (interface_type (type_elem . [
  (type_identifier) @base
  (qualified_type name: (type_identifier) @base)
] .)))

; Imports
(import_spec name: (_) @import.alias path: (_) @import.path)
(import_spec !name path: (_) @import.path)

; References
(call_expression function: (identifier) @reference.call)
(call_expression function: (selector_expression field: (field_identifier) @reference.call))
(call_expression function: (type_instantiation_expression type: (type_identifier) @reference.call))
(type_identifier) @reference.type

; Scopes
(func_literal) @scope
(block) @scope
