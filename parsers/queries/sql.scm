; Definitions: a table and a view are a struct of their columns.
(create_table (object_reference name: (identifier) @name) (column_definitions)? @body) @definition.struct
(column_definition name: (identifier) @name) @definition.field
(create_view (object_reference name: (identifier) @name) (create_query)? @body) @definition.struct
(create_materialized_view (object_reference name: (identifier) @name) (create_query)? @body) @definition.struct
(create_function (object_reference name: (identifier) @name) (function_body)? @body) @definition.function
(create_trigger (keyword_trigger) . (object_reference name: (identifier) @name)) @definition.function
(create_type (object_reference name: (identifier) @name)) @definition.type
(create_schema (identifier) @name) @definition.module

; References
(invocation (object_reference name: (identifier) @reference.call))
(relation (object_reference name: (identifier) @reference.type))
