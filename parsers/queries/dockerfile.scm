; Definitions: a stage, by its name or by its image.
(from_instruction as: (image_alias) @name) @definition.section
(from_instruction (image_spec) @name !as) @definition.section
(arg_instruction name: (_) @name) @definition.variable
(env_pair name: (_) @name) @definition.variable
