; Definitions
(binary_operator lhs: [(identifier) @name (string) @name] operator: ["<-" "=" "<<-"]
  rhs: (function_definition body: (_) @body)) @definition.function
(binary_operator lhs: (identifier) @name operator: ["<-" "=" "<<-"]) @definition.variable
((call function: (identifier) @_class arguments: (arguments . (argument value: (string) @name))) @definition.class
  (#any-of? @_class "setClass" "setRefClass" "R6Class"))
((call function: (identifier) @_generic arguments: (arguments . (argument value: (string) @name))) @definition.function
  (#any-of? @_generic "setGeneric" "setMethod"))

; Imports
((call function: (identifier) @_library arguments: (arguments . (argument value: [
  (identifier) @import.path
  (string) @import.path
]))) (#any-of? @_library "library" "require" "requireNamespace" "source"))

; References
(call function: (identifier) @reference.call)
(call function: (namespace_operator rhs: (identifier) @reference.call))
(call function: (extract_operator rhs: (identifier) @reference.call))

; Scopes
(function_definition) @scope
