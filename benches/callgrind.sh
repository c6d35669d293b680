#!/usr/bin/env bash
# Instructions per operation, counted by callgrind inside `measured` only: exact where wall times are not.
# Usage: benches/callgrind.sh [ROW...]      the rows that count operations, each subject but Linux
#        benches/callgrind.sh --profile ROW  where hearken's instructions of that row go
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build -q --release -p hearken-bench --features peers
bin=${CARGO_TARGET_DIR:-target}/release/hearken-bench
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

count() { # count ROW WHO OPERATIONS
  valgrind --tool=callgrind --toggle-collect='*measured*' --callgrind-out-file="$out/cg" \
    "$bin" --row "$1" --subject "$2" --operations "$3" --repetitions 1 >/dev/null 2>"$out/log" ||
    { cat "$out/log" >&2; exit 1; }
  awk '/^(summary|totals):/ {print $2; exit}' "$out/cg"
}

if [ "${1:-}" = --profile ]; then
  count "$2" hearken "${3:-2000}"
  # What was inlined counts for the function that it was inlined into.
  callgrind_annotate --auto=no --threshold=100 "$out/cg" | awk -v n="${3:-2000}" '
    match($0, /^ *[0-9,]+ \( *[0-9.]+%\) +/) {
      v = $1; gsub(",", "", v); name = substr($0, RLENGTH + 1)
      sub(/ \[[^]]*\]$/, "", name); sub(/^[^ ]*\.(rs|c|S|h|\?\?\?):/, "", name)
      if (name ~ /PROGRAM TOTALS/) total = v; else sum[name] += v
    }
    END {
      for (f in sum) if (sum[f] > total / 400) printf "%9.1f %5.1f%%  %s\n", sum[f] / n, 100 * sum[f] / total, f
    }' | sort -rn | cut -c1-150
  exit
fi

rows=("$@")
[ $# -gt 0 ] || rows=(rst fin syn-cookie syn-queue syn-rst syn-drop handshakes bulk-1500 bulk-64k)
printf '%-18s %-14s %16s\n' row who instructions
for row in "${rows[@]}"; do
  n=2048 per=
  case $row in
    bulk-1500*) n=256 per=" per 1,460 bytes" ;;
    bulk-*) n=256 per=" per 65,536 bytes" ;;
  esac
  for who in hearken smoltcp; do
    "$bin" --list --row "$row" >/dev/null
    total=$(count "$row" "$who" "$n")
    [ -n "$total" ] && [ "$total" != 0 ] || continue
    case $row in
      bulk-1500*) each=$((total * 1460 / (n * 65536))) ;;
      *) each=$((total / n)) ;;
    esac
    printf '%-18s %-14s %16d%s\n' "$row" "$who" "$each" "$per"
  done
done
