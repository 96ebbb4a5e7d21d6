; definitions
(class_declaration name: (identifier) @name superclass: (superclass [(type_identifier) @base (generic_type (type_identifier) @base)]) body: (_) @body) @definition.class
(class_declaration name: (identifier) @name interfaces: (super_interfaces (type_list [(type_identifier) @base (generic_type (type_identifier) @base)])) body: (_) @body) @definition.class
(class_declaration name: (identifier) @name body: (_) @body) @definition.class
(interface_declaration name: (identifier) @name (extends_interfaces (type_list [(type_identifier) @base (generic_type (type_identifier) @base)])) body: (_) @body) @definition.interface
(interface_declaration name: (identifier) @name body: (_) @body) @definition.interface
(annotation_type_declaration name: (identifier) @name body: (_) @body) @definition.interface
(enum_declaration name: (identifier) @name body: (_) @body) @definition.enum
(record_declaration name: (identifier) @name body: (_) @body) @definition.class
(method_declaration name: (identifier) @name body: (_) @body) @definition.method
(method_declaration name: (identifier) @name) @definition.method
(constructor_declaration name: (identifier) @name body: (_) @body) @definition.method
(compact_constructor_declaration name: (identifier) @name body: (_) @body) @definition.method
(field_declaration declarator: (variable_declarator name: (identifier) @name)) @definition.field
(constant_declaration declarator: (variable_declarator name: (identifier) @name)) @definition.constant
(enum_constant name: (identifier) @name) @definition.field

; imports
(import_declaration (scoped_identifier name: (identifier) @import.alias) @import.path) @import

; references
(method_invocation name: (identifier) @reference.call)
(object_creation_expression type: (type_identifier) @reference.call)
(type_identifier) @reference.type
