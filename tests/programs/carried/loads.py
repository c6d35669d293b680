"""Loads: short COUNT, exhaust COUNT, pour PORT, killed COUNT."""

import errno
import os
import signal
import socket
import sys
import threading


def server(backlog=128):
    return socket.create_server(("127.0.0.1", 0), backlog=backlog)


def short(count):
    """The client closes first: each connection ends in TIME_WAIT."""
    listener = server()

    def serve():
        for _ in range(count):
            connection, _ = listener.accept()
            with connection:
                while data := connection.recv(100):
                    connection.sendall(data)

    thread = threading.Thread(target=serve)
    thread.start()
    good = 0
    for i in range(count):
        with socket.create_connection(listener.getsockname()) as client:
            client.sendall(b"%d" % i)
            good += client.recv(100) == b"%d" % i
    thread.join()
    print("echoed", good)
    address = listener.getsockname()
    listener.close()
    # SO_REUSEADDR, as create_server sets it, passes by TIME_WAIT.
    socket.create_server(address).close()
    print("bound again")


def exhaust(count):
    """From a bound port outside the range the listener; the clients use it up."""
    listener = socket.create_server(("127.0.0.1", 39999), backlog=128)
    for i in range(count):
        client = socket.socket()
        try:
            client.connect(listener.getsockname())
        except OSError as e:
            print(f"after {i}:", errno.errorcode[e.errno])
            return
        connection, _ = listener.accept()
        client.close()
        connection.close()
    print("never")


def pour(port):
    """A gibibyte to every client, whether it reads or not."""
    listener = socket.create_server(("0.0.0.0", port))

    def serve(connection):
        poured = 0
        try:
            while poured < 1 << 30:
                poured += connection.send(b"p" * (1 << 20))
        except OSError:
            # In one piece: another thread may be writing too.
            sys.stdout.write(f"hung up after {poured}\n")
            sys.stdout.flush()

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=[connection], daemon=True).start()


def killed(count):
    """A child floods us and is killed; its end is ours to see."""
    listener = server()
    told = 0
    for _ in range(count):
        if (child := os.fork()) == 0:
            client = socket.create_connection(listener.getsockname())
            while True:
                client.send(b"f" * 65536)
        connection, _ = listener.accept()
        connection.recv(1000)
        connection.send(b"never read")
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        try:
            while connection.recv(1 << 20):
                pass
            told += 1
        except ConnectionResetError:
            told += 1
        connection.close()
    print(told, "told of the end")


{"short": short, "exhaust": exhaust, "pour": pour, "killed": killed}[sys.argv[1]](int(sys.argv[2]))
