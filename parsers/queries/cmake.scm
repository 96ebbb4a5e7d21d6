; Definitions
(function_def (function_command (argument_list . (argument) @name)) (body) @body) @definition.function
(macro_def (macro_command (argument_list . (argument) @name)) (body) @body) @definition.macro
((normal_command (identifier) @_set (argument_list . (argument) @name)) @definition.variable
  (#match? @_set "^([sS][eE][tT]|[oO][pP][tT][iI][oO][nN])$"))
((normal_command (identifier) @_add (argument_list . (argument) @name)) @definition.module
  (#match? @_add "(?i)^add_(library|executable|custom_target)$"))

; Imports
((normal_command (identifier) @_include (argument_list . (argument) @import.path))
  (#match? @_include "(?i)^(include|add_subdirectory|find_package)$"))

; References
(normal_command (identifier) @reference.call)
