"""Clients for server.py: load.py SECONDS PORT:CLIENTS..."""

import socket
import sys
import threading
import time

END = time.monotonic() + float(sys.argv[1])


def client(port):
    while time.monotonic() < END:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=3) as s:
                while s.recv(1 << 16):
                    pass
        except OSError:
            time.sleep(0.05)


for pair in sys.argv[2:]:
    port, clients = map(int, pair.split(":"))
    for _ in range(clients):
        threading.Thread(target=client, args=(port,), daemon=True).start()
time.sleep(max(0, END - time.monotonic()))
