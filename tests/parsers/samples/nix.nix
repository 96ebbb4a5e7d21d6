{ pkgs ? import <nixpkgs> { } }:

let
  version = "1.2.3";
  label = name: "${name}-${version}";
  # INCOMMENT what the build needs
  inputs = [ pkgs.gcc pkgs.cmake ];
in
pkgs.stdenv.mkDerivation {
  name = "INSTRING-${version}";
  buildInputs = inputs;
  meta = {
    maintainers = inblock;
    description = "A store";
  };
}
