; Definitions
(module_definition "module" @start (module_binding (module_name) @name module_type: (_) @body) @definition.module)
(module_type_definition (module_type_name) @name body: (_)? @body) @definition.interface
(type_definition "type" @start . (type_binding name: (_) @name) @definition.type)
(type_definition (type_binding name: (_) @name) @definition.type)
(exception_definition (constructor_declaration (constructor_name) @name)) @definition.type
(constructor_declaration (constructor_name) @name) @definition.field
(field_declaration (field_name) @name) @definition.field
(value_specification (value_name) @name type: (function_type)) @definition.function
(value_specification (value_name) @name) @definition.variable
(external (value_name) @name) @definition.function
(class_definition (class_binding (class_name) @name class_type: (_) @body)) @definition.class
(method_specification (method_name) @name) @definition.method

; Imports
(open_module (module_path) @import.path)
(include_module_type (module_type_path) @import.path)

; References
(type_constructor_path (type_constructor) @reference.type .)
