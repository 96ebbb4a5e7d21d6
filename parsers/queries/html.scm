; Definitions: headings, and what has an id.
((element (start_tag (tag_name) @_tag) . (text) @name) @definition.section (#match? @_tag "^[hH][1-6]$"))
((element (start_tag (attribute (attribute_name) @_id (quoted_attribute_value (attribute_value) @name))) . (_)? @body)
  @definition.field (#eq? @_id "id"))

; Imports
((script_element (start_tag (attribute (attribute_name) @_src (quoted_attribute_value (attribute_value) @import.path))))
  (#eq? @_src "src"))
(((start_tag (tag_name) @_link (attribute (attribute_name) @_href
  (quoted_attribute_value (attribute_value) @import.path)))) (#eq? @_link "link") (#eq? @_href "href"))

; Other languages in it
(script_element (raw_text) @embedded.javascript)
(style_element (raw_text) @embedded.css)
