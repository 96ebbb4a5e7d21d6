; definitions
(function_item name: (identifier) @name body: (_) @body) @definition.function
(function_signature_item name: (identifier) @name) @definition.function
(struct_item name: (type_identifier) @name body: (_) @body) @definition.class
(struct_item name: (type_identifier) @name) @definition.class
(union_item name: (type_identifier) @name body: (_) @body) @definition.class
(enum_item name: (type_identifier) @name body: (_) @body) @definition.enum
(trait_item name: (type_identifier) @name bounds: (trait_bounds (type_identifier) @base) body: (_) @body) @definition.interface
(trait_item name: (type_identifier) @name body: (_) @body) @definition.interface
(impl_item trait: (type_identifier) @base type: (type_identifier) @name body: (_) @body) @definition.class
(impl_item type: (type_identifier) @name body: (_) @body) @definition.class
(impl_item type: (generic_type type: (type_identifier) @name) body: (_) @body) @definition.class
(mod_item name: (identifier) @name body: (_) @body) @definition.module
(type_item name: (type_identifier) @name) @definition.type
(macro_definition name: (identifier) @name) @definition.macro
(field_declaration name: (field_identifier) @name) @definition.field
(enum_variant name: (identifier) @name) @definition.field
(const_item name: (identifier) @name) @definition.constant
(static_item name: (identifier) @name) @definition.variable

; imports
(use_declaration argument: (scoped_identifier path: (_) @import.path name: (_) @import.name)) @import
(use_declaration argument: (use_as_clause path: (scoped_identifier path: (_) @import.path name: (_) @import.name) alias: (_) @import.alias)) @import
(use_declaration argument: (scoped_use_list path: (_) @import.path list: (use_list (identifier) @import.name))) @import
(use_declaration argument: (scoped_use_list path: (_) @import.path list: (use_list (scoped_identifier name: (_) @import.name)))) @import
(use_declaration argument: (use_wildcard (_) @import.path)) @import
(mod_item name: (identifier) @import.path !body) @import

; references
(call_expression function: (identifier) @reference.call)
(call_expression function: (scoped_identifier name: (identifier) @reference.call))
(call_expression function: (field_expression field: (field_identifier) @reference.call))
(macro_invocation macro: (identifier) @reference.call)
(type_identifier) @reference.type
