; Definitions: what the outermost `let` and attribute sets bind.
(let_expression (binding_set (binding attrpath: (_) @name expression: (function_expression body: (_) @body))
  @definition.function))
(let_expression (binding_set (binding attrpath: (_) @name expression: [(attrset_expression) (apply_expression)] @body)
  @definition.variable))
(let_expression (binding_set (binding attrpath: (_) @name) @definition.variable))
(source_code expression: [
  (attrset_expression (binding_set (binding attrpath: (_) @name) @definition.field))
  (rec_attrset_expression (binding_set (binding attrpath: (_) @name) @definition.field))
  (function_expression body: (attrset_expression (binding_set (binding attrpath: (_) @name) @definition.field)))
  (function_expression body: (rec_attrset_expression (binding_set (binding attrpath: (_) @name) @definition.field)))
])
(apply_expression argument: (attrset_expression (binding_set (binding attrpath: (_) @name) @definition.field)))
(apply_expression argument: (rec_attrset_expression (binding_set (binding attrpath: (_) @name) @definition.field)))

; Imports
((apply_expression function: (variable_expression name: (identifier) @_import)
  argument: [(path_expression) (spath_expression)] @import.path) (#eq? @_import "import"))

; References
(apply_expression function: (variable_expression name: (identifier) @reference.call))
(apply_expression function: (select_expression attrpath: (attrpath attr: (identifier) @reference.call .)))
