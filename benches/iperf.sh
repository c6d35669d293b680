#!/usr/bin/env bash
# iperf3 between two processes of one `hearken run`, beside the same two on this machine's own loopback.
#
# benches/iperf.sh [--hearken PATH] [SECONDS]
#
# Three repetitions of each, interleaved, client to server and server to client (-R); bits a second as the receiving side counts them, the
# medians and their ratio. It fails when either ratio is below one half. Without --hearken it builds the release binary.
set -euo pipefail
cd "$(dirname "$0")/.."

hearken=
if [ "${1-}" = --hearken ]; then
  hearken=$2
  shift 2
fi
seconds=${1:-3}
command -v iperf3 >/dev/null || { echo "iperf3 is not installed" >&2; exit 1; }
if [ -z "$hearken" ]; then
  cargo build --quiet --locked --release -p hearken-cli
  hearken=target/release/hearken
fi

# The native server, too, has a port that nobody else on this machine will have.
port=$((20000 + $$ % 10000))
pair=$(cat <<'SCRIPT'
log=$(mktemp)
iperf3 -s -1 -p "$1" --forceflush >"$log" & server=$!
trap 'kill $server 2>/dev/null; rm -f "$log"' EXIT
until grep -q listening "$log"; do
  kill -0 $server || exit 1
done
iperf3 -c 127.0.0.1 -p "$1" -t "$2" --json $3
SCRIPT
)
rate() { python3 -c 'import json, sys; print(json.load(sys.stdin)["end"]["sum_received"]["bits_per_second"] / 1e9)'; }
native() { sh -c "$pair" sh "$port" "$seconds" "$1" | rate; }
carried() { "$hearken" run -- sh -c "$pair" sh "$port" "$seconds" "$1" | rate; }

echo "$(uname -sr), $(nproc) CPUs,$(uptime | sed 's/.*load/load/'); $seconds s each, Gbit/s"
rows=
for direction in "" -R; do
  for _ in 1 2 3; do
    rows+="${direction:---} $(native "$direction") $(carried "$direction")"$'\n'
  done
done
python3 - "$rows" <<'PY'
import statistics, sys

low = False
print(f"{'':18} {'native loopback':>30} {'hearken run':>30}  ratio")
for flag, name in ("--", "client to server"), ("-R", "server to client"):
    runs = [line.split() for line in sys.argv[1].splitlines()]
    native, carried = ([float(r[i]) for r in runs if r[0] == flag] for i in (1, 2))
    ratio = statistics.median(carried) / statistics.median(native)
    low |= ratio < 0.5
    cell = lambda all: f"{statistics.median(all):.1f} ({', '.join(f'{v:.1f}' for v in all)})"
    print(f"{name:18} {cell(native):>30} {cell(carried):>30}  {ratio:.2f}")
sys.exit("a ratio is below one half" if low else 0)
PY
