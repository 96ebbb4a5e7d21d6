; Definitions: the body of a function is the sibling behind its signature.
(class_definition name: (identifier) @name body: (_) @body) @definition.class
(mixin_declaration (mixin) . (identifier) @name (class_body) @body) @definition.class
(extension_declaration name: (identifier) @name body: (_) @body) @definition.extension
(enum_declaration name: (identifier) @name body: (_) @body) @definition.enum
(enum_constant name: (identifier) @name) @definition.field
(type_alias . (type_identifier) @name) @definition.type
(class_definition name: (identifier) @name superclass: (superclass (type_identifier) @base))
(class_definition name: (identifier) @name superclass: (superclass (mixins (type_identifier) @base)))
(class_definition name: (identifier) @name interfaces: (interfaces (type_identifier) @base))
(extension_declaration name: (identifier) @name class: (type_identifier) @base)
((method_signature [
  (function_signature name: (identifier) @name)
  (getter_signature name: (identifier) @name)
  (setter_signature name: (identifier) @name)
  (operator_signature (binary_operator) @name)
  (constructor_signature . name: (identifier) @name)
  (factory_constructor_signature (identifier) @name . (formal_parameter_list))
]) @definition.method . (function_body) @body @end)
((function_signature name: (identifier) @name) @definition.function . (function_body) @body @end)
((getter_signature name: (identifier) @name) @definition.function . (function_body) @body @end)
(declaration [
  (function_signature name: (identifier) @name)
  (getter_signature name: (identifier) @name)
  (setter_signature name: (identifier) @name)
  (constructor_signature name: (identifier) @name . parameters: (_))
  (constant_constructor_signature (identifier) @name . (formal_parameter_list))
]) @definition.method
(declaration (initialized_identifier_list (initialized_identifier . (identifier) @name))) @definition.field
(declaration (static_final_declaration_list (static_final_declaration . (identifier) @name))) @definition.field
(program (const_builtin) @start . (static_final_declaration_list (static_final_declaration . (identifier) @name)
  @definition.constant))
(program (static_final_declaration_list (static_final_declaration . (identifier) @name) @definition.constant))
(program (initialized_identifier_list (initialized_identifier . (identifier) @name) @definition.variable))

; Imports
(import_specification (configurable_uri (uri) @import.path) (combinator "show" (identifier) @import.name))
(import_specification (configurable_uri (uri) @import.path) . "as" . (identifier) @import.alias)
(import_specification (configurable_uri (uri) @import.path))
(library_export (configurable_uri (uri) @import.path))
(part_directive (uri) @import.path)

; References
((identifier) @reference.call . (selector (argument_part)))
((selector (unconditional_assignable_selector (identifier) @reference.call)) . (selector (argument_part)))
((selector (conditional_assignable_selector (identifier) @reference.call)) . (selector (argument_part)))
(new_expression (type_identifier) @reference.call)
(const_object_expression (type_identifier) @reference.call)
(type_identifier) @reference.type
(annotation name: (identifier) @reference.call)
