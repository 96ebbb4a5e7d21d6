; Definitions
(class_declaration name: (identifier) @name body: (_) @body) @definition.class
(record_declaration name: (identifier) @name body: (_) @body) @definition.class
(interface_declaration name: (identifier) @name body: (_) @body) @definition.interface
(annotation_type_declaration name: (identifier) @name body: (_) @body) @definition.interface
(enum_declaration name: (identifier) @name body: (_) @body) @definition.enum
(enum_constant name: (identifier) @name) @definition.field
(method_declaration name: (identifier) @name body: (_)? @body) @definition.method
(annotation_type_element_declaration name: (identifier) @name) @definition.method
(constructor_declaration name: (identifier) @name body: (_) @body) @definition.method
(compact_constructor_declaration name: (identifier) @name body: (_) @body) @definition.method
(field_declaration declarator: (variable_declarator name: (identifier) @name)) @definition.field
(constant_declaration declarator: (variable_declarator name: (identifier) @name)) @definition.constant

(class_declaration name: (identifier) @name superclass: (superclass [
  (type_identifier) @base
  (scoped_type_identifier (type_identifier) @base .)
  (generic_type . (type_identifier) @base)
  (generic_type . (scoped_type_identifier (type_identifier) @base .))
]))
(_ name: (identifier) @name interfaces: (super_interfaces (type_list [
  (type_identifier) @base
  (scoped_type_identifier (type_identifier) @base .)
  (generic_type . (type_identifier) @base)
])))
(interface_declaration name: (identifier) @name (extends_interfaces (type_list [
  (type_identifier) @base
  (scoped_type_identifier (type_identifier) @base .)
  (generic_type . (type_identifier) @base)
])))

; Imports
(import_declaration . (scoped_identifier name: (identifier) @import.name) @import.path .)
(import_declaration "static" (scoped_identifier name: (identifier) @import.name) @import.path .)
(import_declaration (_) @import.path (asterisk))

; References
(method_invocation name: (identifier) @reference.call)
(object_creation_expression type: (type_identifier) @reference.call)
(object_creation_expression type: (generic_type . (type_identifier) @reference.call))
(object_creation_expression type: (scoped_type_identifier (type_identifier) @reference.call .))
(annotation name: (identifier) @reference.type)
(marker_annotation name: (identifier) @reference.type)
(type_identifier) @reference.type

; Scopes
(lambda_expression) @scope
(block) @scope
