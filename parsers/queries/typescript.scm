; definitions
(class_declaration name: (_) @name (class_heritage (extends_clause value: (identifier) @base)) body: (class_body) @body) @definition.class
(class_declaration name: (_) @name (class_heritage (implements_clause (type_identifier) @base)) body: (class_body) @body) @definition.class
(class_declaration name: (_) @name (class_heritage (implements_clause (generic_type name: (type_identifier) @base))) body: (class_body) @body) @definition.class
(class_declaration name: (_) @name body: (class_body) @body) @definition.class
(abstract_class_declaration name: (_) @name (class_heritage (extends_clause value: (identifier) @base)) body: (class_body) @body) @definition.class
(abstract_class_declaration name: (_) @name body: (class_body) @body) @definition.class
(interface_declaration name: (_) @name (extends_type_clause (type_identifier) @base) body: (_) @body) @definition.interface
(interface_declaration name: (_) @name (extends_type_clause (generic_type name: (type_identifier) @base)) body: (_) @body) @definition.interface
(interface_declaration name: (_) @name body: (_) @body) @definition.interface
(enum_declaration name: (_) @name body: (_) @body) @definition.enum
(type_alias_declaration name: (_) @name) @definition.type
(internal_module name: (_) @name body: (_) @body) @definition.module
(function_declaration name: (identifier) @name body: (_) @body) @definition.function
(generator_function_declaration name: (identifier) @name body: (_) @body) @definition.function
(function_signature name: (identifier) @name) @definition.function
(method_definition name: (_) @name body: (_) @body) @definition.method
(method_signature name: (_) @name) @definition.method
(abstract_method_signature name: (_) @name) @definition.method
(public_field_definition name: (_) @name) @definition.field
(property_signature name: (_) @name) @definition.field
(enum_body (property_identifier) @name @definition.field)
(enum_body (enum_assignment name: (_) @name) @definition.field)
(variable_declarator name: (identifier) @name value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.function
(program (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable))
(program (export_statement (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable)))
(internal_module body: (statement_block (export_statement (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable))))
(ambient_declaration (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable))

; imports
(import_statement (import_clause (named_imports (import_specifier name: (identifier) @import.name !alias))) source: (string) @import.path) @import
(import_statement (import_clause (named_imports (import_specifier name: (identifier) @import.name alias: (identifier) @import.alias))) source: (string) @import.path) @import
(import_statement (import_clause (identifier) @import.alias) source: (string) @import.path) @import
(import_statement (import_clause (namespace_import (identifier) @import.alias)) source: (string) @import.path) @import
(import_statement source: (string) @import.path) @import
(export_statement (export_clause (export_specifier name: (identifier) @import.name)) source: (string) @import.path) @import
(export_statement source: (string) @import.path) @import

; references
(call_expression function: (identifier) @reference.call)
(call_expression function: (member_expression property: (property_identifier) @reference.call))
(new_expression constructor: (identifier) @reference.call)
(type_identifier) @reference.type
