; Definitions
(abstract_class_declaration name: (_) @name body: (_) @body) @definition.class
(interface_declaration name: (_) @name body: (_) @body) @definition.interface
(enum_declaration name: (_) @name body: (_) @body) @definition.enum
(enum_body (property_identifier) @name @definition.field)
(enum_body (enum_assignment name: (_) @name) @definition.field)
(type_alias_declaration name: (_) @name value: (object_type) @body) @definition.type
(type_alias_declaration name: (_) @name value: (intersection_type . (object_type) @body)) @definition.type
(type_alias_declaration name: (_) @name) @definition.type
(type_alias_declaration value: (object_type (property_signature name: (_) @name) @definition.attribute))
(intersection_type (object_type (property_signature name: (_) @name) @definition.attribute))
(internal_module name: (_) @name body: (_) @body) @definition.module
(module name: (_) @name body: (_) @body) @definition.module
(function_signature name: (_) @name) @definition.function
(method_signature name: (_) @name) @definition.method
(abstract_method_signature name: (_) @name) @definition.method
(interface_body (property_signature name: (_) @name) @definition.field)
(public_field_definition name: (_) @name value: [
  (arrow_function body: (_) @body)
  (function_expression body: (_) @body)
]) @definition.method
(public_field_definition name: (_) @name) @definition.field
(ambient_declaration (_) @wrapped) @wrapper
(class_body (decorator) @decorator)

(_ name: (_) @name (class_heritage (extends_clause value: [
  (identifier) @base
  (member_expression property: (_) @base)
])))
(_ name: (_) @name (class_heritage (implements_clause [
  (type_identifier) @base
  (generic_type name: (type_identifier) @base)
  (generic_type name: (nested_type_identifier name: (_) @base))
  (nested_type_identifier name: (_) @base)
])))
(interface_declaration name: (_) @name (extends_type_clause [
  (type_identifier) @base
  (generic_type name: (type_identifier) @base)
  (nested_type_identifier name: (_) @base)
]))

; An alias has what the types have that it is made of; `A & B & C` is a tree of pairs.
(type_alias_declaration name: (_) @name value: [
  (type_identifier) @base
  (nested_type_identifier name: (_) @base)
  (generic_type name: (type_identifier) @base)
  ((generic_type name: (_) @mapped type_arguments: (type_arguments . [
    (type_identifier) @base
    (generic_type name: (type_identifier) @base)
  ])) (#match? @mapped "(Partial|Required|Readonly|Omit|Pick|Prettify|Simplify)$"))
])
(type_alias_declaration name: (_) @name value: (intersection_type [
  (type_identifier) @base
  (nested_type_identifier name: (_) @base)
  (generic_type name: (type_identifier) @base)
  ((generic_type name: (_) @mapped type_arguments: (type_arguments . [
    (type_identifier) @base
    (generic_type name: (type_identifier) @base)
  ])) (#match? @mapped "(Partial|Required|Readonly|Omit|Pick|Prettify|Simplify)$"))
]))
(type_alias_declaration name: (_) @name value: (intersection_type (intersection_type [
  (type_identifier) @base
  (nested_type_identifier name: (_) @base)
  (generic_type name: (type_identifier) @base)
  ((generic_type name: (_) @mapped type_arguments: (type_arguments . [
    (type_identifier) @base
    (generic_type name: (type_identifier) @base)
  ])) (#match? @mapped "(Partial|Required|Readonly|Omit|Pick|Prettify|Simplify)$"))
])))
(type_alias_declaration name: (_) @name value: (intersection_type (intersection_type (intersection_type [
  (type_identifier) @base
  (nested_type_identifier name: (_) @base)
  (generic_type name: (type_identifier) @base)
  ((generic_type name: (_) @mapped type_arguments: (type_arguments . [
    (type_identifier) @base
    (generic_type name: (type_identifier) @base)
  ])) (#match? @mapped "(Partial|Required|Readonly|Omit|Pick|Prettify|Simplify)$"))
]))))

; Imports
(import_statement (import_require_clause (identifier) @import.alias source: (string) @import.path))

; References
(type_identifier) @reference.type
(extends_clause value: (identifier) @reference.type)
