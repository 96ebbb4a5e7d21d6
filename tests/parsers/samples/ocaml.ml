open Printf

type shape = Circle of float | Square of float

(* INCOMMENT the area of any shape *)
let area shape =
  match shape with
  | Circle radius -> 3.14159 *. radius *. inblock
  | Square side ->
    let doubled = side *. side in
    doubled

let rec total = function
  | [] -> 0.0
  | shape :: rest -> area shape +. total rest

let () = printf "INSTRING %f\n" (total [ Circle 1.0; Square 2.0 ])
