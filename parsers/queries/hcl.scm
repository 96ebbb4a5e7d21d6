; Definitions: outermost blocks, named as they are referred to.
(config_file (body (block . (identifier) @name . (string_lit (template_literal) @name)* . (block_start) @body)
  @definition.section))
(config_file (body (block . (identifier) @name . (string_lit (template_literal) @name) .
  (string_lit (template_literal) @name) . (block_start) @body) @definition.section))
(config_file (body (attribute . (identifier) @name) @definition.field))
((block . (identifier) @_locals . (block_start) (body (attribute . (identifier) @name) @definition.field))
  (#eq? @_locals "locals"))

; Imports
((block . (identifier) @_module (body (attribute . (identifier) @_source
  (expression (literal_value (string_lit) @import.path)))))
  (#eq? @_module "module") (#eq? @_source "source"))

; References
(function_call (identifier) @reference.call)
