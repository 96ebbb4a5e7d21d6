; Definitions
(function_declaration name: [
  (identifier) @name
  (dot_index_expression field: (identifier) @name)
] body: (_)? @body) @definition.function
(function_declaration name: (method_index_expression method: (identifier) @name) body: (_)? @body) @definition.method
(variable_declaration (assignment_statement (variable_list . (identifier) @name) (expression_list .
  (function_definition body: (_) @body)))) @definition.function
(assignment_statement (variable_list . [
  (identifier) @name
  (dot_index_expression field: (identifier) @name)
]) (expression_list . (function_definition body: (_) @body))) @definition.function
(field name: (identifier) @name value: (function_definition body: (_) @body)) @definition.function
(variable_declaration (assignment_statement (variable_list (identifier) @name))) @definition.variable
(assignment_statement (variable_list (identifier) @name)) @definition.variable
(assignment_statement (variable_list (dot_index_expression field: (identifier) @name))) @definition.field

; Imports
((function_call name: (identifier) @_require arguments: (arguments . (string) @import.path))
  (#any-of? @_require "require" "dofile" "loadfile"))
((variable_declaration (assignment_statement (variable_list . (identifier) @import.alias) (expression_list .
  (function_call name: (identifier) @_require arguments: (arguments . (string) @import.path)))))
  (#eq? @_require "require"))

; References
(function_call name: (identifier) @reference.call)
(function_call name: (dot_index_expression field: (identifier) @reference.call))
(function_call name: (method_index_expression method: (identifier) @reference.call))

; Scopes
(function_definition) @scope
(do_statement) @scope
(if_statement) @scope
(for_statement) @scope
(while_statement) @scope
