; Definitions: a specification and the clauses behind it are one symbol.
(module_attribute name: (atom) @name) @definition.module
(spec fun: (atom) @name) @definition.clause
(fun_decl clause: (function_clause name: (atom) @name body: (_) @body)) @definition.clause
(record_decl name: (atom) @name) @definition.struct
(record_field name: (atom) @name) @definition.field
(type_alias name: (type_name name: (atom) @name)) @definition.type
(opaque name: (type_name name: (atom) @name)) @definition.type
(callback fun: (atom) @name) @definition.function
(pp_define lhs: (macro_lhs name: (_) @name)) @definition.macro

; Imports
(import_attribute module: (atom) @import.path funs: (fa fun: (atom) @import.name))
(pp_include file: (string) @import.path)
(pp_include_lib file: (string) @import.path)

; References
(call expr: (atom) @reference.call)
(call expr: (remote fun: (atom) @reference.call))
(record_name name: (atom) @reference.type)
