"""What the outline of each language's sample holds: definitions with their parents, imports, references.

Rules: written as `kind name > child`, `path : name as alias`, `kind name`, in the order of the text; references once.
"""

EXPECTED = {
    "python": (
        "constant LIMIT; class Item; field Item > name; field Item > price; function total",
        "dataclasses : dataclass; .prices : Price as Amount",
        "call dataclass; type Base; type str; type float; type list; type Item; call round",
    ),
    "javascript": (
        "constant LIMIT; function loadSettings",
        "node:fs/promises : readFile",
        "call readFile; call parse",
    ),
    "typescript": (
        "interface User; field User > id; field User > name; class UserStore; "
        "field UserStore > users; method UserStore > add",
        "./store : Store as Base",
        "type Base; type User; type Closable; call Map; call has; call INBLOCK; call Error; call set",
    ),
    "tsx": (
        "function Counter; function Counter > up",
        "react : useState",
        "call useState; call setCount",
    ),
    "java": (
        "class Cart; field Cart > prices; method Cart > Cart; method Cart > total",
        "java.util.List : List",
        "type Entity; type Basket; type Priced; type List; type Integer; call println",
    ),
    "c": (
        "macro LIMIT; struct point; field point > x; field point > y; function distance",
        "stdio.h; point.h",
        "type point; call printf",
    ),
    "cpp": (
        "module text; function text > join; class text > Joiner; method text > Joiner > run; "
        "field text > Joiner > parts_",
        "string; vector",
        "type string; type vector; type Base; call join",
    ),
    "csharp": (
        "module Shop; class Shop > Order; field Shop > Order > Price; method Shop > Order > Total",
        "System",
        "type Entity; call ArgumentException; call nameof",
    ),
    "go": (
        "struct Queue; field Queue > items; method Pop",
        "errors; sync",
        "type Mutex; type int; type Queue; type error; call len; call New",
    ),
    "rust": (
        "struct Counter; field Counter > counts; extension Counter; method Counter > reset; function count",
        "std::collections : HashMap",
        "type HashMap; type String; type Reset; call clear; call new; call split; call entry; "
        "call to_string; call or_insert",
    ),
    "ruby": (
        "class Account; field Account > balance; method Account > initialize; method Account > withdraw",
        "json",
        "call require; type Base; call attr_reader; type INBLOCK; call call; call raise; type ArgumentError",
    ),
    "php": (
        "module App; class Greeter; method Greeter > greet",
        "App\\Text\\Writer : Writer as Output",
        "type Base; type Polite; call fallback",
    ),
    "swift": (
        "struct Stack; field Stack > items; method Stack > push",
        "Foundation",
        "type Pile; type Element; call append; call print; call INBLOCK",
    ),
    "kotlin": (
        "class Item; field Item > name; field Item > price; function total",
        "shop.prices.Price : Price as Amount",
        "type String; type Int; type List; type Item; call println",
    ),
    "scala": (
        "module shop; class Item; field Item > name; field Item > price; class Cart; method Cart > total",
        "scala.math : max as largest",
        "type String; type Int; type Basket; type Seq; type Item; call println; call map",
    ),
    "lua": (
        "variable text; variable M; function clamp",
        "shop.text as text",
        "call require; call print; call min",
    ),
    "bash": (
        "variable KEEP; function backup",
        "./settings.sh",
        "call set; call source; call rm; call mkdir; call backup",
    ),
    "haskell": (
        "function total; function label",
        "Data.List : sort",
        "type Int; call go; call sort; type String",
    ),
    "elixir": (
        "module Cart; field Cart > items; field Cart > tax; function Cart > total",
        "Shop.Item",
        "type Shop.Item; type Cart; type Enum; call reduce; call price; type INBLOCK",
    ),
    "ocaml": (
        "type shape; field shape > Circle; field shape > Square; function area; function total",
        "Printf",
        "type float; call area; call total; call printf",
    ),
    "ocaml_interface": (
        "type t; type Full; interface S; type S > item; method S > push; function length; "
        "function create; function pop",
        "Types",
        "type string; type item; type inblock; type t; type bool; type int; type option",
    ),
    "perl": (
        "function count",
        "strict; warnings",
        "call split; call print",
    ),
    "r": (
        "function mean_of",
        "stats",
        "call library; call is.na; call length; call warning; call mean; call print; call mean_of; call c",
    ),
    "julia": (
        "module Shop; function Shop > total",
        "Statistics : mean",
        "call println; call mean",
    ),
    "dart": (
        "class User; field User > name; method User > User; method User > encode",
        "dart:convert",
        "type Entity; type String; call jsonEncode",
    ),
    "zig": (
        "constant std; struct Pair; field Pair > left; function sum",
        "std as std",
        "call print",
    ),
    "sql": (
        "struct orders; field orders > INBLOCK; field orders > status; struct open_orders",
        "",
        "call count; type orders",
    ),
    "html": (
        "section Cart items; field items",
        "cart.js",
        "call log",
    ),
    "css": (
        "section :root; variable :root > --gap; section (max-width: 600px); "
        "section (max-width: 600px) > .card > h2::before",
        "reset.css",
        "",
    ),
    "scss": (
        "variable $accent; section .button; section .button > &:hover",
        "colors",
        "",
    ),
    "json": (
        "field name; field version; field private; field scripts; field files; field engines",
        "",
        "",
    ),
    "yaml": (
        "field name; field on; field jobs",
        "",
        "",
    ),
    "toml": (
        "field title; section build; field build > jobs; field build > flags; field build > inblock; "
        "section servers; field servers > host; field servers > ports; section servers; "
        "field servers > host",
        "",
        "",
    ),
    "markdown": (
        "section Shop; section Shop > Install",
        "",
        "",
    ),
    "make": (
        "variable CC; variable OBJECTS; function all; function store; function clean",
        "settings.mk",
        "call all; call clean; call store; call OBJECTS; call CC",
    ),
    "dockerfile": (
        "section build; variable GREETING",
        "",
        "",
    ),
    "cmake": (
        "variable CMAKE_CXX_STANDARD; function add_unit_test; module add_unit_test > ${name}; module store",
        "tests.cmake",
        "call cmake_minimum_required; call project; call include; call set; call add_executable; "
        "call target_link_libraries; call add_test; call add_library; call add_unit_test",
    ),
    "powershell": (
        "variable $Kept; function Remove-OldBackup",
        "Backup",
        "type string; call Import-Module; type int; call Get-Date; call AddDays; call Get-ChildItem; "
        "call Write-Host; call Remove-Item; call Remove-OldBackup",
    ),
    "objc": (
        "class Cart; field Cart > items; method Cart > total; extension Cart; method Cart > total",
        "Foundation/Foundation.h",
        "type Priced; type NSArray; type NSNumber; call doubleValue; call NSLog",
    ),
    "proto": (
        "struct Order; field Order > id; struct Order > Line; field Order > Line > sku; "
        "field Order > Line > amount; field Order > lines; interface Orders; method Orders > Get",
        "google/protobuf/timestamp.proto",
        "type Inblock; type Line; type Order",
    ),
    "hcl": (
        "section variable.region; section module.network; section resource.aws_s3_bucket.logs",
        "./network",
        "call lower",
    ),
    "erlang": (
        "module queue_server; function start; function loop",
        "queue.hrl",
        "call spawn; call loop; call format; call length",
    ),
    "clojure": (
        "module shop.cart; function total; function label",
        "clojure.string as str",
        "call reduce; call map; call pos?; call *; call +; call upper-case",
    ),
    "nix": (
        "variable version; function label; variable inputs; field name; field buildInputs; field meta",
        "<nixpkgs>",
        "call import; call mkDerivation",
    ),
    "vue": (
        "method data",
        "./Row.vue as Row",
        "",
    ),
    "svelte": (
        "variable count",
        "./shown : shown",
        "",
    ),
    "graphql": (
        "enum State; field State > OPEN; field State > PAID; class Order; field Order > id; "
        "field Order > state; field Order > total; class Query; field Query > orders",
        "",
        "type Node; type ID; type State; type INBLOCK; type Int; type Order",
    ),
    "solidity": (
        "class Vault; field Vault > balances; method Vault > withdraw",
        "./Owned.sol",
        "type Owned; call require",
    ),
    "starlark": (
        "constant _DEFAULT_DEPS; function libraries",
        "//tools:defs.bzl : library",
        "call load; call startswith; call library",
    ),
}
