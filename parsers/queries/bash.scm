; Definitions
(function_definition name: (word) @name body: (_) @body) @definition.function
(declaration_command (variable_assignment name: (variable_name) @name)) @definition.variable
(variable_assignment name: (variable_name) @name) @definition.variable

; Imports
((command name: (command_name) @_source . argument: [(word) (string) (raw_string) (concatenation)] @import.path)
  (#any-of? @_source "source" "."))

; References
(command_name (word) @reference.call)

; Scopes: a variable that is set for one command only, or in a subshell.
(command) @scope
(subshell) @scope
