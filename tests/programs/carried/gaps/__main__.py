"""What a program can ask of a TCP socket, one answer a line, each with its own label: natively and under `hearken run`.

Usage: python3 gaps [PREFIX]. Lines whose answer differs are the gaps that tests/programs/gaps.rs declares; all others are the same.
"""

import signal
import sys

signal.alarm(100)
signal.signal(signal.SIGPIPE, signal.SIG_IGN)

# Each module's probes register themselves.
import calls
import descriptors
import messages
import options
import waiting
from sockets import PROBES

only = sys.argv[1] if len(sys.argv) > 1 else ""
for probe_ in PROBES:
    if not probe_.__name__.startswith(only):
        continue
    try:
        for label, value in probe_():
            print(f"{probe_.__name__}, {label}: {value}", flush=True)
    except Exception as e:
        print(f"{probe_.__name__}, fails: {type(e).__name__} {e} line {sys.exc_info()[2].tb_next.tb_lineno if sys.exc_info()[2].tb_next else 0}", flush=True)
