"""Which of three threads, each asleep in epoll_wait on a set of its own, wakes for one, two and three connections to a listener (statement 120)."""
import select
import socket
import threading
import time


def woken(connections, flags):
    listener = socket.create_server(("127.0.0.1", 0), backlog=16)
    asleep, events = threading.Semaphore(0), {}

    def sleeper(number):
        with select.epoll() as ep:
            ep.register(listener, select.EPOLLIN | flags)
            asleep.release()
            events[number] = len(ep.poll(1.0))

    threads = [threading.Thread(target=sleeper, args=(n,)) for n in range(3)]
    for t in threads:
        t.start()
        asleep.acquire()
        time.sleep(0.05)
    clients = []
    for _ in range(connections):
        clients.append(socket.create_connection(listener.getsockname()))
        time.sleep(0.1)
    for t in threads:
        t.join()
    return [events[n] for n in range(3)]


for label, flags in (("plain", 0), ("exclusive", select.EPOLLEXCLUSIVE), ("exclusive, edge", select.EPOLLEXCLUSIVE | select.EPOLLET)):
    for n in (1, 2, 3):
        print(f"{label}, {n} connections: events of each", woken(n, flags))
listener = socket.create_server(("127.0.0.1", 0), backlog=16)
sets = [select.epoll() for _ in range(3)]
for ep in sets:
    ep.register(listener, select.EPOLLIN | select.EPOLLEXCLUSIVE)
client = socket.create_connection(listener.getsockname())
print("exclusive, nobody asleep, 1 connection:", [len(ep.poll(0)) for ep in sets])
