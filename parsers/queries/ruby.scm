; Definitions
(class name: [(constant) @name (scope_resolution name: (constant) @name)] body: (_) @body) @definition.class
(class name: [(constant) @name (scope_resolution name: (constant) @name)]) @definition.class
(module name: (_) @name body: (_) @body) @definition.module
(module name: (_) @name) @definition.module
(method name: (_) @name body: (_) @body) @definition.method
(method name: (_) @name) @definition.method
(singleton_method name: (_) @name body: (_) @body) @definition.method
(singleton_method name: (_) @name) @definition.method
((call method: (identifier) @_attribute arguments: (argument_list (simple_symbol) @name)) @definition.field
  (#any-of? @_attribute "attr_accessor" "attr_reader" "attr_writer"))
(assignment left: (constant) @name) @definition.constant
(assignment left: (class_variable) @name) @definition.field
(program (assignment left: [(identifier) @name (global_variable) @name]) @definition.variable)

(class name: [(constant) @name (scope_resolution name: (constant) @name)] superclass: (superclass [
  (constant) @base
  (scope_resolution name: (constant) @base)
]))
((_ name: (constant) @name body: (body_statement (call method: (identifier) @_mix arguments: (argument_list [
  (constant) @base
  (scope_resolution name: (constant) @base)
])))) (#any-of? @_mix "include" "extend" "prepend"))

; Imports
((call method: (identifier) @_require arguments: (argument_list . (string) @import.path))
  (#any-of? @_require "require" "require_relative" "load"))
((call method: (identifier) @_require arguments: (argument_list . (simple_symbol) @import.name (string) @import.path))
  (#eq? @_require "autoload"))

; References
(call method: (identifier) @reference.call)
((call receiver: (constant) @reference.call method: (identifier) @_new) (#eq? @_new "new"))
(constant) @reference.type

; Scopes
(block) @scope
(do_block) @scope
