; Definitions
(field_definition property: (_) @name value: [
  (arrow_function body: (_) @body)
  (function_expression body: (_) @body)
]) @definition.method
(field_definition property: (_) @name) @definition.field
(assignment_expression left: (member_expression object: (this) property: (property_identifier) @name)) @definition.attribute
(class_declaration name: (_) @name (class_heritage (identifier) @base))
(class_declaration name: (_) @name (class_heritage (member_expression property: (_) @base)))

; References
(class_heritage (identifier) @reference.type)
