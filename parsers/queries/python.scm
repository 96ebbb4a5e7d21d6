; Definitions
(class_definition name: (identifier) @name body: (block) @body) @definition.class
(class_definition name: (identifier) @name superclasses: (argument_list (identifier) @base))
(class_definition name: (identifier) @name superclasses: (argument_list (attribute attribute: (identifier) @base)))
(class_definition name: (identifier) @name superclasses: (argument_list (subscript value: (identifier) @base)))
(class_definition name: (identifier) @name
  superclasses: (argument_list (subscript value: (attribute attribute: (identifier) @base))))
(function_definition name: (identifier) @name body: (block) @body) @definition.function
(decorated_definition definition: (_) @wrapped) @wrapper
(type_alias_statement left: (type (identifier) @name)) @definition.type
(type_alias_statement left: (type (generic_type (identifier) @name))) @definition.type

((assignment left: (identifier) @name) @definition.constant
  (#match? @name "^_*[A-Z][A-Z0-9_]*$"))
(assignment left: (identifier) @name) @definition.variable
(assignment left: (pattern_list (identifier) @name)) @definition.variable
((assignment left: (attribute object: (identifier) @_self attribute: (identifier) @name)) @definition.attribute
  (#eq? @_self "self"))

; Imports
(import_statement name: (dotted_name) @import.path)
(import_statement name: (aliased_import name: (dotted_name) @import.path alias: (identifier) @import.alias))
(import_from_statement module_name: (_) @import.path name: (dotted_name) @import.name)
(import_from_statement module_name: (_) @import.path
  name: (aliased_import name: (dotted_name) @import.name alias: (identifier) @import.alias))
(import_from_statement module_name: (_) @import.path (wildcard_import))
(future_import_statement "__future__" @import.path name: (dotted_name) @import.name)

; References
(call function: (identifier) @reference.call)
(call function: (attribute attribute: (identifier) @reference.call))
(decorator (identifier) @reference.call)
(decorator (attribute attribute: (identifier) @reference.call))
(type (identifier) @reference.type)
(type (attribute attribute: (identifier) @reference.type))
(generic_type (identifier) @reference.type)
(type (binary_operator (identifier) @reference.type))
(type (subscript value: (identifier) @reference.type))
(class_definition superclasses: (argument_list (identifier) @reference.type))
(class_definition superclasses: (argument_list (attribute attribute: (identifier) @reference.type)))

; Scopes: a function's are its symbol's; these have no name.
(lambda) @scope
