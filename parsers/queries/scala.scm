; Definitions
(package_clause name: (_) @name) @definition.module
(class_definition name: (_) @name body: (_)? @body) @definition.class
(object_definition name: (_) @name body: (_)? @body) @definition.class
(trait_definition name: (_) @name body: (_)? @body) @definition.interface
(enum_definition name: (_) @name body: (_)? @body) @definition.enum
(simple_enum_case name: (_) @name) @definition.field
(full_enum_case name: (_) @name) @definition.field
(extension_definition parameters: (parameters) @name body: (_) @body) @definition.extension
(function_definition name: (_) @name body: (_) @body) @definition.function
(function_declaration name: (_) @name) @definition.function
(type_definition name: (_) @name) @definition.type
(given_definition name: (_) @name) @definition.constant
(val_definition pattern: (identifier) @name) @definition.variable
(var_definition pattern: (identifier) @name) @definition.variable
(val_declaration name: (identifier) @name) @definition.variable
(var_declaration name: (identifier) @name) @definition.variable
(class_definition "case" class_parameters: (class_parameters (class_parameter name: (identifier) @name)
  @definition.field))

(_ name: (_) @name extend: (extends_clause [
  (type_identifier) @base
  (generic_type type: (type_identifier) @base)
  (stable_type_identifier (type_identifier) @base .)
  (generic_type type: (stable_type_identifier (type_identifier) @base .))
]))

; Imports
(import_declaration . ((identifier) @import.path ".")* (identifier) @import.path @import.name .)
(import_declaration . ((identifier) @import.path ".")+ . (namespace_selectors (identifier) @import.name))
(import_declaration . ((identifier) @import.path ".")+ . (namespace_selectors (_
  name: (_) @import.name alias: (_) @import.alias)))
(import_declaration . ((identifier) @import.path ".")+ . [(namespace_wildcard) (namespace_selectors (namespace_wildcard))])

; References
(call_expression function: (identifier) @reference.call)
(call_expression function: (field_expression field: (identifier) @reference.call))
(call_expression function: (generic_function function: [
  (identifier) @reference.call
  (field_expression field: (identifier) @reference.call)
]))
(instance_expression (type_identifier) @reference.call)
(type_identifier) @reference.type

; Scopes
(block) @scope
(indented_block) @scope
(lambda_expression) @scope
