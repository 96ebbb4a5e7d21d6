(* INCOMMENT sums the prices *)
let rec total prices =
  match prices with
  | [] -> inblock
  | price :: rest -> price + total rest

let () = print_endline "INSTRING"
