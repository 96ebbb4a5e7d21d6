; Definitions
(function_statement (function_name) @name (script_block) @body) @definition.function
(class_statement . (simple_name) @name "{" @body) @definition.class
(class_statement . (simple_name) @name (simple_name) @base)
(class_method_definition (simple_name) @name (script_block)? @body) @definition.method
(class_property_definition (variable) @name) @definition.field
(enum_statement . (simple_name) @name "{" @body) @definition.enum
(enum_member . (simple_name) @name) @definition.field
(assignment_expression (left_assignment_expression (_ (_ (_ (_ (_ (_ (_ (_ (unary_expression (variable) @name)))))))))))
  @definition.variable

; Imports
((command command_name: (command_name) @_using
  command_elements: (command_elements . (command_argument_sep) . (generic_token) @_module
    (command_argument_sep) . (generic_token) @import.path))
  (#match? @_using "(?i)^using$") (#match? @_module "(?i)^(module|namespace)$"))
((command command_name: (command_name) @_import
  command_elements: (command_elements . (command_argument_sep) . (generic_token) @import.path))
  (#match? @_import "(?i)^import-module$"))
(command (command_invokation_operator) @_dot command_name: (command_name_expr (command_name) @import.path)
  (#eq? @_dot "."))

; References
(command command_name: (command_name) @reference.call)
(invokation_expression (member_name (simple_name) @reference.call))
(type_literal (type_spec (type_name (type_identifier) @reference.type)))

; Scopes
(script_block_expression) @scope
