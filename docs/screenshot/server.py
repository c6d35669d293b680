"""Three listeners under load, for the picture of `hearken top`: one that keeps up, one that is slow, one that never accepts.

Each says its port when it listens; clients of `load.py` come from outside.
"""

import socket
import threading
import time


def listen(port, backlog):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen(backlog)
    return listener


def serve(listener, pause, answer):
    while True:
        client, _ = listener.accept()
        client.sendall(answer)
        client.close()
        time.sleep(pause)


fast, slow, never = listen(8000, 128), listen(8443, 64), listen(9000, 16)
threading.Thread(target=serve, args=(fast, 0, b"x" * 200_000), daemon=True).start()
threading.Thread(target=serve, args=(slow, 0.03, b"slow"), daemon=True).start()
print("listening", flush=True)
time.sleep(60)
