; Definitions
(class_declaration "interface" (type_identifier) @name (class_body)? @body) @definition.interface
(class_declaration "enum" (type_identifier) @name (enum_class_body)? @body) @definition.enum
(class_declaration (type_identifier) @name (class_body)? @body) @definition.class
(object_declaration (type_identifier) @name (class_body)? @body) @definition.class
(companion_object (type_identifier) @name (class_body)? @body) @definition.class
(function_declaration (simple_identifier) @name (function_body)? @body) @definition.function
(secondary_constructor "constructor" @name (statements)? @body) @definition.method
(type_alias (type_identifier) @name) @definition.type
(enum_entry (simple_identifier) @name) @definition.field
((property_declaration (modifiers (property_modifier) @_const) (variable_declaration (simple_identifier) @name))
  @definition.constant (#eq? @_const "const"))
(property_declaration (variable_declaration (simple_identifier) @name) [(getter) (setter)] @body) @definition.variable
(property_declaration (variable_declaration (simple_identifier) @name)) @definition.variable
(class_parameter (binding_pattern_kind) (simple_identifier) @name) @definition.field

(class_declaration (type_identifier) @name (delegation_specifier [
  (user_type (type_identifier) @base .)
  (user_type (type_identifier) @base . (type_arguments))
  (constructor_invocation (user_type (type_identifier) @base .))
  (constructor_invocation (user_type (type_identifier) @base . (type_arguments)))
]))
(object_declaration (type_identifier) @name (delegation_specifier [
  (user_type (type_identifier) @base .)
  (constructor_invocation (user_type (type_identifier) @base .))
]))

; Imports
(import_header (identifier (simple_identifier) @import.name .) @import.path (import_alias (_) @import.alias))
(import_header (identifier (simple_identifier) @import.name .) @import.path .)
(import_header (identifier) @import.path (wildcard_import))

; References
(call_expression . (simple_identifier) @reference.call)
(call_expression . (navigation_expression (navigation_suffix (simple_identifier) @reference.call)))
(constructor_invocation (user_type (type_identifier) @reference.call .))
(user_type (type_identifier) @reference.type)

; Scopes
(statements) @scope
(getter) @scope
(setter) @scope
(lambda_literal) @scope
