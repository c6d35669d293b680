# Before each script that a test runs inside: waits for things instead of sleeping.

# until_ok COMMAND...: again until it succeeds, 60 s at most.
until_ok() {
  tries=0
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || { echo "never succeeded: $*" >&2; return 1; }
    sleep 0.1
  done
}
