open Types

(** INCOMMENT bounded queues *)
type 'a t

exception Full of string

module type S = sig
  type item
  val push : item -> inblock t -> bool
end

external length : 'a t -> int = "instring_length"

val create : capacity:int -> 'a t
val pop : 'a t -> 'a option
