#!/usr/bin/env bash
# Cuts files into parts that one call to a rented machine can carry, beside the wheels that are missing there.
#   prepare.sh FOLDER NAME=FILE ...
# Each FILE becomes FOLDER/NAME.part-00 ... of at most 40 MB (a call carries 67 MB, and the tree with its adapters is 25 of
# them); FOLDER/sums/NAME has the whole and the parts.
set -euo pipefail
folder=$1
shift
part_bytes=${PART_BYTES:-40000000}
mkdir -p "$folder/wheels" "$folder/sums"
if ! ls "$folder"/wheels/*.whl > /dev/null 2>&1; then
  python3 -m pip download -q --no-deps --only-binary=:all: -d "$folder/wheels" gguf==0.19.0 platformdirs
fi
for pair in "$@"; do
  name=${pair%%=*} file=${pair#*=}
  rm -f "$folder/$name".part-*
  split -b $part_bytes -d -a 2 "$file" "$folder/$name.part-"
  {
    echo "$(sha256sum < "$file" | cut -d' ' -f1)  $name"
    (cd "$folder" && sha256sum "$name".part-*)
  } > "$folder/sums/$name"
  echo "$name: $(ls "$folder/$name".part-* | wc -l) parts, $(stat -c %s "$file") bytes"
done
