; Definitions
(table . [(bare_key) (quoted_key) (dotted_key)] @name . (_)? @body) @definition.section
(table_array_element . [(bare_key) (quoted_key) (dotted_key)] @name . (_)? @body) @definition.section
(document (pair . (_) @name) @definition.field)
(table (pair . (_) @name) @definition.field)
(table_array_element (pair . (_) @name) @definition.field)
