; Definitions
(class_declaration declaration_kind: "struct" name: (type_identifier) @name body: (_) @body) @definition.struct
(class_declaration declaration_kind: "enum" name: (type_identifier) @name body: (_) @body) @definition.enum
(class_declaration declaration_kind: "extension" name: (user_type (type_identifier) @name .) body: (_) @body)
  @definition.extension
(class_declaration name: (type_identifier) @name body: (_) @body) @definition.class
(protocol_declaration name: (type_identifier) @name body: (_) @body) @definition.interface
(protocol_function_declaration name: (simple_identifier) @name) @definition.method
(protocol_property_declaration name: (pattern bound_identifier: (simple_identifier) @name)) @definition.field
(associatedtype_declaration name: (type_identifier) @name) @definition.type
(typealias_declaration . (modifiers)? . name: (type_identifier) @name) @definition.type
(function_declaration name: (simple_identifier) @name body: (_) @body) @definition.function
(init_declaration "init" @name body: (_) @body) @definition.method
(deinit_declaration "deinit" @name body: (_) @body) @definition.method
(subscript_declaration "subscript" @name (computed_property) @body) @definition.method
(enum_entry name: (simple_identifier) @name) @definition.field
(property_declaration name: (pattern bound_identifier: (simple_identifier) @name) computed_value: (_) @body)
  @definition.variable
(class_body (property_declaration name: (pattern bound_identifier: (simple_identifier) @name)) @definition.field)
((property_declaration (value_binding_pattern) @_let name: (pattern bound_identifier: (simple_identifier) @name))
  @definition.constant (#eq? @_let "let"))
(property_declaration name: (pattern bound_identifier: (simple_identifier) @name)) @definition.variable

(_ name: (type_identifier) @name
  (inheritance_specifier inherits_from: (user_type (type_identifier) @base .)))
(_ name: (user_type (type_identifier) @name .)
  (inheritance_specifier inherits_from: (user_type (type_identifier) @base .)))

; Imports
(import_declaration (identifier) @import.path)

; References
(call_expression . (simple_identifier) @reference.call)
(call_expression . (navigation_expression suffix: (navigation_suffix suffix: (simple_identifier) @reference.call)))
(user_type (type_identifier) @reference.type)

; Scopes
(statements) @scope
(computed_property) @scope
(lambda_literal) @scope
