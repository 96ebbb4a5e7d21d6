# INCOMMENT a package
{ pkgs }:
pkgs.stdenv.mkDerivation {
  pname = "INSTRING";
  version = INBLOCK;
}
