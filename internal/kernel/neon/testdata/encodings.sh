#!/usr/bin/env bash
# Writes encodings.txt: the instructions of this package's listing as Debian's binutils-aarch64-linux-gnu encodes them.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
LISTING="$dir/listing" go test -count=1 . >/dev/null || true # it may fail: the file is about to change
cut -f2 "$dir/listing" >"$dir/in.s"
aarch64-linux-gnu-as -o "$dir/out.o" "$dir/in.s"
aarch64-linux-gnu-objdump -d "$dir/out.o" | awk -F'\t' '/^ +[0-9a-f]+:/ { gsub(/ /, "", $2); print $2 }' >"$dir/words"
paste "$dir/words" <(cut -f2 "$dir/listing") >testdata/encodings.txt
