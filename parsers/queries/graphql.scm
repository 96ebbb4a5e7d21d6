; Definitions: a description is a comment.
(description) @comment
(object_type_definition "type" @start (name) @name (fields_definition)? @body) @definition.class
(object_type_extension (name) @name (fields_definition)? @body) @definition.extension
(interface_type_definition "interface" @start (name) @name (fields_definition)? @body) @definition.interface
(input_object_type_definition "input" @start (name) @name (input_fields_definition)? @body) @definition.struct
(enum_type_definition "enum" @start (name) @name (enum_values_definition)? @body) @definition.enum
(union_type_definition "union" @start (name) @name) @definition.type
(scalar_type_definition "scalar" @start (name) @name) @definition.type
(directive_definition "directive" @start (name) @name) @definition.macro
(field_definition (name) @name @start) @definition.field
(input_fields_definition (input_value_definition (name) @name @start) @definition.field)
(enum_value_definition (enum_value (name) @name @start)) @definition.field
(operation_definition (name) @name (selection_set) @body) @definition.function
(fragment_definition (fragment_name (name) @name) (selection_set) @body) @definition.function

; A list of interfaces is nested to the left.
(object_type_definition (name) @name (implements_interfaces (named_type (name) @base)))
(object_type_definition (name) @name (implements_interfaces (implements_interfaces (named_type (name) @base))))

; References
(fragment_spread (fragment_name (name) @reference.call))
(named_type (name) @reference.type)
