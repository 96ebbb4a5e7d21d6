(** INCOMMENT bounded queues *)
type 'a t

exception Full of string

module type S = sig
  type item
  val push : item -> inblock t -> bool
end

val create : capacity:int -> 'a t
