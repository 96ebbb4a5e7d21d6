; Definitions: a type is a constant that holds one.
(Decl (FnProto function: (IDENTIFIER) @name) (Block)? @body) @definition.function
(Decl (VarDecl variable_type_function: (IDENTIFIER) @name (ErrorUnionExpr (SuffixExpr
  (ContainerDecl (ContainerDeclType) @_type "{" @body)))) (#match? @_type "^(struct|union|opaque)")) @definition.struct
(Decl (VarDecl variable_type_function: (IDENTIFIER) @name (ErrorUnionExpr (SuffixExpr
  (ContainerDecl (ContainerDeclType) @_type "{" @body)))) (#match? @_type "^enum")) @definition.enum
(Decl (VarDecl "const" variable_type_function: (IDENTIFIER) @name)) @definition.constant
(Decl (VarDecl variable_type_function: (IDENTIFIER) @name)) @definition.variable
(ContainerField field_member: (IDENTIFIER) @name) @definition.field
(ContainerField . (ErrorUnionExpr (SuffixExpr variable_type_function: (IDENTIFIER) @name)) .) @definition.field
(TestDecl (STRINGLITERALSINGLE) @name (Block) @body) @definition.function

; Imports
((VarDecl variable_type_function: (IDENTIFIER) @import.alias (ErrorUnionExpr (SuffixExpr
  (BUILTINIDENTIFIER) @_import (FnCallArguments (ErrorUnionExpr (SuffixExpr (STRINGLITERALSINGLE) @import.path))))))
  (#eq? @_import "@import"))

; References
(SuffixExpr variable_type_function: (IDENTIFIER) @reference.call . (FnCallArguments))
(FieldOrFnCall function_call: (IDENTIFIER) @reference.call)
(ParamType (ErrorUnionExpr (SuffixExpr variable_type_function: (IDENTIFIER) @reference.type)))
(FnProto (ErrorUnionExpr (SuffixExpr variable_type_function: (IDENTIFIER) @reference.type)))

; Scopes
(Block) @scope
