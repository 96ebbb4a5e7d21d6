; Definitions
(section . (atx_heading heading_content: (_) @name) . (_)? @body) @definition.section
(section . (setext_heading heading_content: (_) @name) . (_)? @body) @definition.section
