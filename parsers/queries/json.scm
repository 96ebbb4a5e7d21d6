; Definitions: the keys of the outermost object.
(document (object (pair key: (string) @name value: [(object) (array)] @body) @definition.field))
(document (object (pair key: (string) @name) @definition.field))
