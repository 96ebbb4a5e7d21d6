; What Objective-C adds to C. A method is known by the first word of its selector.

; Definitions
(class_interface . (identifier) @name category: (_) (method_declaration) @body) @definition.extension
(class_interface . (identifier) @name category: (_)) @definition.extension
(class_interface . (identifier) @name [(instance_variables) (property_declaration) (method_declaration)] @body)
  @definition.class
(class_interface . (identifier) @name) @definition.class
(class_interface . (identifier) @name superclass: (identifier) @base)
(class_interface . (identifier) @name (parameterized_arguments (type_name (type_identifier) @base)))
(class_implementation . (identifier) @name (implementation_definition) @body) @definition.extension
(class_implementation . (identifier) @name) @definition.extension
(protocol_declaration . (identifier) @name [(property_declaration) (method_declaration)] @body) @definition.interface
(protocol_declaration . (identifier) @name) @definition.interface
(protocol_declaration . (identifier) @name (protocol_reference_list (identifier) @base))
(method_declaration . (method_type) . (identifier) @name) @definition.method
(method_definition . (method_type) . (identifier) @name (compound_statement) @body) @definition.method
(property_declaration (struct_declaration (struct_declarator [
  (identifier) @name
  (pointer_declarator declarator: (identifier) @name)
]))) @definition.field
(instance_variable (struct_declaration (struct_declarator [
  (identifier) @name
  (pointer_declarator declarator: (identifier) @name)
]))) @definition.field

; Imports
(module_import path: (_) @import.path)

; References
(message_expression method: (identifier) @reference.call)

; Scopes
(block_literal) @scope
