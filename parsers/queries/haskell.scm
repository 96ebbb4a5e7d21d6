; Definitions: a signature and the equations behind it are one symbol. What `where` and `let` bind is local.
(declarations (signature name: (variable) @name) @definition.clause)
(declarations (function name: (variable) @name match: (_) @body) @definition.clause)
(declarations (function (infix operator: (operator) @name) match: (_) @body) @definition.clause)
(declarations (bind name: (variable) @name match: (_) @body) @definition.clause)
(class_declarations (signature name: (variable) @name) @definition.clause)
(class_declarations (function name: (variable) @name match: (_) @body) @definition.clause)
(instance_declarations (function name: (variable) @name match: (_) @body) @definition.clause)
(instance_declarations (bind name: (variable) @name match: (_) @body) @definition.clause)
(data_type name: (name) @name) @definition.type
(newtype name: (name) @name) @definition.type
(type_synomym name: (name) @name) @definition.type
(class name: (name) @name declarations: (_)? @body) @definition.interface
(instance name: (name) @base patterns: (type_patterns . (_) @name) declarations: (_)? @body) @definition.extension
(data_constructor constructor: (_ name: (constructor) @name) @definition.field)
(field name: (field_name (variable) @name)) @definition.field

; Imports
(import module: (module) @import.path !names !alias)
(import module: (module) @import.path alias: (module) @import.alias)
(import module: (module) @import.path names: (import_list name: (import_name [
  type: (name) @import.name
  variable: (variable) @import.name
])))

; References
(apply function: (variable) @reference.call)
(apply function: (qualified id: (variable) @reference.call))
(name) @reference.type
