; Definitions
(module_definition "module" @start (module_binding (module_name) @name body: (structure) @body) @definition.module)
(module_definition (module_binding (module_name) @name)) @definition.module
(module_type_definition (module_type_name) @name body: (_)? @body) @definition.interface
(type_definition "type" @start . (type_binding name: (_) @name) @definition.type)
(type_definition (type_binding name: (_) @name) @definition.type)
(exception_definition (constructor_declaration (constructor_name) @name)) @definition.type
(constructor_declaration (constructor_name) @name) @definition.field
(field_declaration (field_name) @name) @definition.field
(value_definition "let" @start . (let_binding pattern: (value_name) @name . (parameter) body: (_) @body)
  @definition.function)
(value_definition "let" @start . (let_binding pattern: (parenthesized_operator) @name . (parameter) body: (_) @body)
  @definition.function)
(value_definition "let" @start . (let_binding pattern: (value_name) @name
  body: [(function_expression) (fun_expression)] @body) @definition.function)
(value_definition (let_binding pattern: (value_name) @name . (parameter) body: (_) @body) @definition.function)
(value_definition (let_binding pattern: (value_name) @name body: [(function_expression) (fun_expression)] @body)
  @definition.function)
(value_definition "let" @start . (let_binding pattern: (value_name) @name) @definition.variable)
(value_definition (let_binding pattern: (value_name) @name) @definition.variable)
(external (value_name) @name) @definition.function
(class_definition "class" @start . (class_binding (class_name) @name body: (_)? @body) @definition.class)
(class_binding (class_name) @name body: (object_expression (inheritance_definition (class_path (class_name) @base .))))
(method_definition (method_name) @name body: (_)? @body) @definition.method
(instance_variable_definition (instance_variable_name) @name) @definition.field

; Imports
(open_module (module_path) @import.path)
(include_module (module_path) @import.path)

; References
(application_expression function: (value_path (value_name) @reference.call .))
(new_expression (class_path (class_name) @reference.call .))
(type_constructor_path (type_constructor) @reference.type .)

; Scopes
(let_expression) @scope
(fun_expression) @scope
(function_expression) @scope
