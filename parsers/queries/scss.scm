; Definitions
(rule_set (selectors) @name (block) @body) @definition.section
(media_statement . (_) @name (block) @body) @definition.section
(keyframes_statement (keyframes_name) @name (keyframe_block_list) @body) @definition.section
(mixin_statement name: (identifier) @name (block) @body) @definition.function
(function_statement name: (identifier) @name (block) @body) @definition.function
((declaration (property_name) @name) @definition.variable (#match? @name "^(\\$|--)"))

; Imports
(import_statement (string_value) @import.path)
(use_statement (string_value) @import.path)
(forward_statement (string_value) @import.path)

; References
(include_statement (identifier) @reference.call)
(call_expression (function_name) @reference.call)
