; Definitions
((rule (targets (word) @name) (recipe)? @body) @definition.function (#not-match? @name "^\\."))
(define_directive name: (word) @name) @definition.macro
(variable_assignment name: (word) @name) @definition.variable
(shell_assignment name: (word) @name) @definition.variable

; Imports
(include_directive filenames: (list (word) @import.path))

; References: a rule calls those it depends on.
(prerequisites (word) @reference.call)
(variable_reference (word) @reference.call)
