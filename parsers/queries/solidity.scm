; Definitions
(contract_declaration name: (identifier) @name body: (_) @body) @definition.class
(library_declaration name: (identifier) @name body: (_) @body) @definition.class
(interface_declaration name: (identifier) @name body: (_) @body) @definition.interface
(struct_declaration name: (identifier) @name body: (_) @body) @definition.struct
(struct_member name: (identifier) @name) @definition.field
(enum_declaration name: (identifier) @name body: (_) @body) @definition.enum
(enum_value) @name @definition.field
(event_definition name: (identifier) @name) @definition.type
(error_declaration name: (identifier) @name) @definition.type
(user_defined_type_definition name: (identifier) @name) @definition.type
(modifier_definition name: (identifier) @name body: (_)? @body) @definition.function
(constructor_definition "constructor" @name body: (_)? @body) @definition.method
(fallback_receive_definition ["receive" "fallback"] @name body: (_)? @body) @definition.method
(function_definition name: (identifier) @name body: (_)? @body) @definition.function
(state_variable_declaration name: (identifier) @name) @definition.field
(constant_variable_declaration name: (identifier) @name) @definition.constant
(_ name: (identifier) @name (inheritance_specifier ancestor: (user_defined_type (identifier) @base .)))

; Imports
(import_directive import_name: (identifier) @import.name . alias: (identifier) @import.alias
  source: (string) @import.path)
(import_directive import_name: (identifier) @import.name source: (string) @import.path)
(import_directive . alias: (identifier) @import.alias source: (string) @import.path)
(import_directive source: (string) @import.path)

; References
(call_expression function: (expression (identifier) @reference.call))
(call_expression function: (expression (member_expression property: (identifier) @reference.call)))
(emit_statement name: (expression (identifier) @reference.call))
(modifier_invocation . (identifier) @reference.call)
(user_defined_type (identifier) @reference.type)

; Scopes
(function_body) @scope
