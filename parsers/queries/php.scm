; Definitions
(namespace_definition name: (_) @name body: (_)? @body) @definition.module
(class_declaration name: (name) @name body: (_) @body) @definition.class
(interface_declaration name: (name) @name body: (_) @body) @definition.interface
(trait_declaration name: (name) @name body: (_) @body) @definition.class
(enum_declaration name: (name) @name body: (_) @body) @definition.enum
(enum_case name: (name) @name) @definition.field
(function_definition name: (name) @name body: (_) @body) @definition.function
(method_declaration name: (name) @name body: (_)? @body) @definition.method
(property_declaration (property_element name: (variable_name (name) @name))) @definition.field
(property_promotion_parameter name: (variable_name (name) @name)) @definition.field
(const_declaration (const_element . (name) @name)) @definition.constant
((function_call_expression function: (name) @_define arguments: (arguments . (argument (string) @name)))
  @definition.constant (#eq? @_define "define"))
(program (expression_statement (assignment_expression
  left: (variable_name (name) @name)
  right: [(anonymous_function body: (_) @body) (arrow_function body: (_) @body)])) @definition.function)
(program (expression_statement (assignment_expression left: (variable_name (name) @name))) @definition.variable)

(_ name: (name) @name (base_clause [(name) @base (qualified_name (name) @base .)]))
(_ name: (name) @name (class_interface_clause [(name) @base (qualified_name (name) @base .)]))
(_ name: (name) @name body: (declaration_list (use_declaration [(name) @base (qualified_name (name) @base .)])))

; Imports
(namespace_use_declaration !body (namespace_use_clause
  [(name) @import.path @import.name (qualified_name (name) @import.name .) @import.path] alias: (name) @import.alias))
(namespace_use_declaration !body (namespace_use_clause !alias
  [(name) @import.path @import.name (qualified_name (name) @import.name .) @import.path]))
(namespace_use_declaration (namespace_name) @import.path body: (namespace_use_group (namespace_use_clause
  [(name) @import.name (qualified_name (name) @import.name .) @import.path] alias: (name) @import.alias)))
(namespace_use_declaration (namespace_name) @import.path body: (namespace_use_group (namespace_use_clause !alias
  [(name) @import.name (qualified_name (name) @import.name .) @import.path])))
(require_once_expression (string) @import.path)
(require_expression (string) @import.path)
(include_once_expression (string) @import.path)
(include_expression (string) @import.path)
(require_once_expression (binary_expression right: (string) @import.path))
(require_expression (binary_expression right: (string) @import.path))
(include_expression (binary_expression right: (string) @import.path))

; References
(function_call_expression function: (name) @reference.call)
(function_call_expression function: (qualified_name (name) @reference.call .))
(member_call_expression name: (name) @reference.call)
(nullsafe_member_call_expression name: (name) @reference.call)
(scoped_call_expression name: (name) @reference.call)
(object_creation_expression (name) @reference.call)
(object_creation_expression (qualified_name (name) @reference.call .))
(named_type (name) @reference.type)
(named_type (qualified_name (name) @reference.type .))
(scoped_call_expression scope: (name) @reference.type)
(base_clause (name) @reference.type)
(class_interface_clause (name) @reference.type)
(attribute (name) @reference.type)
