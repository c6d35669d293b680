"""Servers of Python's library, each on PORT: threads, forks, a fork for each connection, asyncio, edge-triggered epoll."""

import asyncio
import os
import resource
import select
import signal
import socket
import socketserver
import sys


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


def serve(kind, port):
    class Server(kind):
        allow_reuse_address = True
        request_queue_size = 128

    with Server(("0.0.0.0", port), Echo) as server:
        server.serve_forever()


def sshd(port):
    """As sshd does: a child for each connection, which speaks over descriptors 0 and 1 after an exec."""
    listener = socket.create_server(("0.0.0.0", port), backlog=128)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            os.dup2(connection.fileno(), 0)
            os.dup2(connection.fileno(), 1)
            os.execvp("cat", ["cat"])
        connection.close()


async def many(count):
    """`count` clients of one asyncio server in the same process: three words each way, all open at once."""
    served = 0

    async def echo(reader, writer):
        nonlocal served
        while data := await reader.read(1000):
            writer.write(data)
            await writer.drain()
        writer.close()
        served += 1

    server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=4096)
    port = server.sockets[0].getsockname()[1]
    gate = asyncio.Semaphore(500)

    async def client():
        async with gate:
            return await asyncio.open_connection("127.0.0.1", port)

    clients = await asyncio.gather(*(client() for _ in range(count)))
    print("open", len(clients), flush=True)

    async def talk(number, reader, writer):
        for word in (b"a", b"b" * 100, b"c" * 5000):
            message = word + b"%d" % number
            writer.write(message)
            assert await reader.readexactly(len(message)) == message

    await asyncio.gather(*(talk(i, r, w) for i, (r, w) in enumerate(clients)))
    for _, writer in clients:
        writer.close()
    for _, writer in clients:
        await writer.wait_closed()
    while served < count:
        await asyncio.sleep(0.01)
    print("served", served, flush=True)


def edges(port):
    """Edge-triggered epoll with EPOLLRDHUP: all is read until EAGAIN, what finds no room waits for the next EPOLLOUT."""
    listener = socket.create_server(("0.0.0.0", port), backlog=4096)
    listener.setblocking(False)
    poller = select.epoll()
    poller.register(listener, select.EPOLLIN | select.EPOLLET)
    open_now, most = {}, 0
    while True:
        for fd, _ in poller.poll():
            if fd == listener.fileno():
                while True:
                    try:
                        connection, _ = listener.accept()
                    except BlockingIOError:
                        break
                    connection.setblocking(False)
                    what = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
                    open_now[connection.fileno()] = [connection, bytearray(), False]
                    poller.register(connection, what)
                most = max(most, len(open_now))
                continue
            connection, waiting, ended = open_now[fd]
            try:
                while not ended:
                    data = connection.recv(65536)
                    waiting += data
                    ended = not data
            except BlockingIOError:
                pass
            open_now[fd][2] = ended
            try:
                while waiting:
                    del waiting[: connection.send(waiting)]
            except BlockingIOError:
                continue
            if ended:
                connection.close()
                del open_now[fd]
                if not open_now:
                    print("most", most, flush=True)


def main():
    kind, number = sys.argv[1], int(sys.argv[2])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if kind == "threads":
        socketserver.ThreadingTCPServer.daemon_threads = True
        serve(socketserver.ThreadingTCPServer, number)
    elif kind == "forks":
        serve(socketserver.ForkingTCPServer, number)
    elif kind == "sshd":
        sshd(number)
    elif kind == "edges":
        edges(number)
    elif kind == "many":
        asyncio.run(many(number))


main()
