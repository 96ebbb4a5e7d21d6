; Definitions: functions, and in build files targets.
(function_definition name: (identifier) @name body: (block) @body) @definition.function
((assignment left: (identifier) @name) @definition.constant (#match? @name "^_*[A-Z][A-Z0-9_]*$"))
(assignment left: (identifier) @name) @definition.variable
((module (expression_statement (call arguments: (argument_list
  (keyword_argument name: (identifier) @_name value: (string) @name)))) @definition.module)
  (#eq? @_name "name"))

; Imports
((call function: (identifier) @_load arguments: (argument_list . (string) @import.path (string) @import.name))
  (#eq? @_load "load"))
((call function: (identifier) @_load arguments: (argument_list . (string) @import.path
  (keyword_argument name: (identifier) @import.alias value: (string) @import.name))) (#eq? @_load "load"))

; References
(call function: (identifier) @reference.call)
(call function: (attribute attribute: (identifier) @reference.call))
