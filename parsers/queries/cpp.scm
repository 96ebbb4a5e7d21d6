; What C++ adds to C.

; Definitions
(class_specifier name: (type_identifier) @name body: (_) @body) @definition.class
(class_specifier name: (template_type name: (type_identifier) @name) body: (_) @body) @definition.class
(struct_specifier name: (template_type name: (type_identifier) @name) body: (_) @body) @definition.struct
(namespace_definition name: (_) @name body: (_) @body) @definition.module
(template_declaration (_) @wrapped) @wrapper
(alias_declaration name: (type_identifier) @name) @definition.type
(concept_definition name: (identifier) @name) @definition.type

(function_definition declarator: [
  (function_declarator declarator: [
    (field_identifier) @name
    (operator_name) @name
    (destructor_name) @name
  ])
  (pointer_declarator declarator: (function_declarator declarator: [(field_identifier) @name (operator_name) @name]))
  (reference_declarator (function_declarator declarator: [(field_identifier) @name (operator_name) @name]))
] body: (_) @body) @definition.function
(function_definition declarator: [
  (function_declarator declarator: [
    (field_identifier) @name
    (operator_name) @name
    (destructor_name) @name
  ])
  (function_declarator declarator: (identifier) @name)
  (pointer_declarator declarator: (function_declarator declarator: [(field_identifier) @name (operator_name) @name]))
  (reference_declarator (function_declarator declarator: [(field_identifier) @name (operator_name) @name]))
] [(default_method_clause) (delete_method_clause)]) @definition.function
(function_definition
  declarator: (reference_declarator (function_declarator declarator: (identifier) @name))
  body: (_) @body) @definition.function
; A member that is defined outside of its class is known by its own name.
(function_definition declarator: [
  (function_declarator declarator: (qualified_identifier name: [
    (identifier) @name
    (operator_name) @name
    (destructor_name) @name
    (qualified_identifier name: [(identifier) @name (operator_name) @name (destructor_name) @name])
  ]))
  (pointer_declarator declarator: (function_declarator declarator: (qualified_identifier name: (identifier) @name)))
  (reference_declarator (function_declarator declarator: (qualified_identifier name: [
    (identifier) @name
    (operator_name) @name
  ])))
] body: (_) @body) @definition.method
(field_declaration declarator: [
  (function_declarator declarator: [(field_identifier) @name (operator_name) @name])
  (pointer_declarator declarator: (function_declarator declarator: [(field_identifier) @name (operator_name) @name]))
  (reference_declarator (function_declarator declarator: [(field_identifier) @name (operator_name) @name]))
]) @definition.method
(field_declaration declarator: (reference_declarator (field_identifier) @name)) @definition.field
(declaration declarator: [
  (function_declarator declarator: [(destructor_name) @name (operator_name) @name])
  (reference_declarator (function_declarator declarator: [(identifier) @name (operator_name) @name]))
]) @definition.function

(class_specifier name: (_) @name (base_class_clause [
  (type_identifier) @base
  (template_type name: (type_identifier) @base)
  (qualified_identifier name: [(type_identifier) @base (template_type name: (type_identifier) @base)])
]))
(struct_specifier name: (_) @name (base_class_clause [
  (type_identifier) @base
  (template_type name: (type_identifier) @base)
  (qualified_identifier name: [(type_identifier) @base (template_type name: (type_identifier) @base)])
]))

; Imports: `using` brings a name in, `using namespace` all of them.
(using_declaration (qualified_identifier name: (identifier) @import.name) @import.path)
(using_declaration "namespace" [(identifier) @import.path (qualified_identifier) @import.path])

; References
(call_expression function: (qualified_identifier name: [
  (identifier) @reference.call
  (qualified_identifier name: (identifier) @reference.call)
  (template_function name: (identifier) @reference.call)
]))
(call_expression function: (template_function name: (identifier) @reference.call))
(call_expression function: (field_expression field: (template_method name: (field_identifier) @reference.call)))
(new_expression type: (type_identifier) @reference.call)

; Scopes
(lambda_expression) @scope
