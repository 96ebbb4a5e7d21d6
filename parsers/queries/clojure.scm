; Definitions are lists that begin with a word for it.
((list_lit . (sym_lit name: (sym_name) @_def) . (sym_lit name: (sym_name) @name) (vec_lit) . (_) @body)
  @definition.function (#any-of? @_def "defn" "defn-"))
((list_lit . (sym_lit name: (sym_name) @_def) . (sym_lit name: (sym_name) @name)) @definition.function
  (#any-of? @_def "defn" "defn-" "defmulti" "defmethod"))
((list_lit . (sym_lit name: (sym_name) @_def) . (sym_lit name: (sym_name) @name)) @definition.module (#eq? @_def "ns"))
((list_lit . (sym_lit name: (sym_name) @_def) . (sym_lit name: (sym_name) @name) (vec_lit) . (_) @body)
  @definition.macro (#eq? @_def "defmacro"))
((list_lit . (sym_lit name: (sym_name) @_def) . (sym_lit name: (sym_name) @name)) @definition.macro
  (#eq? @_def "defmacro"))
((list_lit . (sym_lit name: (sym_name) @_def) . (sym_lit name: (sym_name) @name)) @definition.interface
  (#any-of? @_def "defprotocol" "definterface"))
((list_lit . (sym_lit name: (sym_name) @_def) . (sym_lit name: (sym_name) @name)) @definition.struct
  (#any-of? @_def "defrecord" "deftype" "defstruct"))
((list_lit . (sym_lit name: (sym_name) @_def) . (sym_lit name: (sym_name) @name)) @definition.variable
  (#any-of? @_def "def" "defonce"))
((list_lit . (sym_lit name: (sym_name) @_def) . (sym_lit)
  (list_lit . (sym_lit name: (sym_name) @name) . (vec_lit)) @definition.method)
  (#any-of? @_def "defprotocol" "defrecord" "deftype"))
((list_lit . (sym_lit name: (sym_name) @_def) . (sym_lit name: (sym_name) @name) (vec_lit) (sym_lit) @base)
  (#any-of? @_def "defrecord" "deftype"))

; Imports
((list_lit . (kwd_lit name: (kwd_name) @_require) (vec_lit . (sym_lit) @import.path
  (kwd_lit name: (kwd_name) @_as) . (sym_lit) @import.alias)) (#any-of? @_require "require" "use") (#eq? @_as "as"))
((list_lit . (kwd_lit name: (kwd_name) @_require) (vec_lit . (sym_lit) @import.path
  (kwd_lit name: (kwd_name) @_refer) . (vec_lit (sym_lit) @import.name)))
  (#any-of? @_require "require" "use") (#eq? @_refer "refer"))
((list_lit . (kwd_lit name: (kwd_name) @_require) [(sym_lit) @import.path (vec_lit . (sym_lit) @import.path)])
  (#any-of? @_require "require" "use"))
((list_lit . (kwd_lit name: (kwd_name) @_import) (list_lit . (sym_lit) @import.path (sym_lit) @import.name))
  (#eq? @_import "import"))
((list_lit . (sym_lit name: (sym_name) @_require) . (quoting_lit (vec_lit . (sym_lit) @import.path)))
  (#eq? @_require "require"))

; References
((list_lit . (sym_lit name: (sym_name) @reference.call))
  (#not-match? @reference.call "^(def.*|ns|let|if|do|fn|when|cond|loop|recur|require|quote|var)$"))
