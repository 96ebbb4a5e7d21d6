; Definitions
((element (start_tag (attribute (attribute_name) @_id (quoted_attribute_value (attribute_value) @name))) . (_)? @body)
  @definition.field (#eq? @_id "id"))

; References: a component is called by its tag.
((tag_name) @reference.call (#match? @reference.call "^[A-Z]"))

; Other languages in it: JavaScript is TypeScript, too.
(script_element (raw_text) @embedded.typescript)
(style_element (raw_text) @embedded.css)
