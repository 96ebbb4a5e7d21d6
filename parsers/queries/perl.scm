; Definitions
(package_statement name: (package) @name) @definition.module
(subroutine_declaration_statement name: (bareword) @name body: (_)? @body) @definition.function
(method_declaration_statement name: (bareword) @name body: (_)? @body) @definition.method
(class_statement name: (package) @name) @definition.class
((use_statement module: (package) @_constant (list_expression . (autoquoted_bareword) @name)) @definition.constant
  (#eq? @_constant "constant"))
(expression_statement (assignment_expression left: (variable_declaration (_ (varname) @name)))) @definition.variable
(expression_statement (variable_declaration (_ (varname) @name))) @definition.variable

; Imports
(use_statement module: (package) @import.path)
(require_expression (bareword) @import.path)

; References
(function_call_expression function: (function) @reference.call)
(ambiguous_function_call_expression function: (function) @reference.call)
(method_call_expression method: (method) @reference.call)

; Scopes
(block) @scope
