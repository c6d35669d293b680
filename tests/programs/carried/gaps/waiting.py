"""epoll, signals, threads."""

import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import threading
import time

from sockets import SOL, c, closed_port, has, joined, libc, listener, mask, named, probe, reset, try_


@probe
def epolls():
    ET, IN, OUT, RDHUP = select.EPOLLET, select.EPOLLIN, select.EPOLLOUT, select.EPOLLRDHUP

    def events(ep, wait=0.05):
        return [named(e & 0x25DF) for _, e in ep.poll(wait)]

    def watch(s, what=IN | OUT | RDHUP | ET):
        ep = select.epoll()
        ep.register(s, what)
        return ep
    s = socket.socket()
    ep = watch(s)
    yield "fresh", [events(ep), events(ep)]
    l = listener()
    s.connect(l.getsockname())
    yield "blocking connect", [events(ep), events(ep)]
    b, _ = l.accept()
    b.send(b"a")
    yield "data", [events(ep, 1), events(ep)]
    b.send(b"b")
    yield "more data", [events(ep, 1), events(ep)]
    s.recv(1)
    yield "a part read", events(ep)
    s.recv(10)
    yield "all read", events(ep)
    b.send(b"c" * 100_000)
    time.sleep(0.1)
    yield "much", [bool(events(ep, 1)), events(ep)]
    got = 0
    while got < 100_000:
        got += len(s.recv(1000))
    yield "much read in pieces", events(ep)
    b.shutdown(socket.SHUT_WR)
    yield "fin", [events(ep, 1), events(ep)]
    s.shutdown(socket.SHUT_WR)
    yield "own fin", [events(ep, 1), events(ep)]
    a, b = joined()
    ep = watch(a)
    yield "joined", [events(ep), events(ep)]
    a.shutdown(socket.SHUT_RD)
    yield "shut for reading", [events(ep), events(ep)]
    a, b = joined()
    ep = watch(a)
    events(ep)
    b.close()
    yield "close", [events(ep, 1), events(ep)]
    a.send(b"x")
    yield "reset", [events(ep, 1), events(ep)]
    a, b = joined()
    ep = watch(a)
    events(ep)
    reset(b)
    yield "reset at once", [events(ep, 1), events(ep)]
    a, b = joined()
    ep = watch(a)
    events(ep)
    a.send(b"a little")
    has(b, "IN")
    yield "a little written", events(ep)
    a.setblocking(False)
    sent = len(b"a little")
    while True:
        try:
            sent += a.send(b"z" * 65536)
        except BlockingIOError:
            # More room comes as long as bytes move on.
            if not select.select([], [a], [], 0.2)[1]:
                break
    yield "full", events(ep)
    while sent > 0:
        sent -= len(b.recv(1 << 20))
    yield "drained", [events(ep, 1)]
    s = socket.socket()
    s.setblocking(False)
    ep = watch(s)
    events(ep)
    s.connect_ex(l.getsockname())
    yield "connect", [events(ep, 1), events(ep)]
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(closed_port())
    ep = watch(s)
    yield "refused", [events(ep, 1), events(ep)]
    l = listener()
    ep = watch(l)
    yield "listener", events(ep)
    keep = [socket.create_connection(l.getsockname()) for _ in range(3)]
    yield "three arrive", [events(ep, 1), events(ep)]
    l.accept()
    yield "one taken", events(ep)
    keep.append(socket.create_connection(l.getsockname()))
    yield "another arrives", [events(ep, 1), events(ep)]
    l.shutdown(socket.SHUT_RD)
    yield "shut", [events(ep, 1), events(ep)]


@probe
def epoll_kinds():
    IN, ET = select.EPOLLIN, select.EPOLLET
    l = listener(backlog=64)
    waiting = []
    for _ in range(4):
        ep = select.epoll()
        ep.register(l, IN | select.EPOLLEXCLUSIVE)
        waiting.append(ep)
    woken = []

    def wait(ep):
        if ep.poll(1.0):
            woken.append(1)
    threads = [threading.Thread(target=wait, args=[ep]) for ep in waiting]
    for t in threads:
        t.start()
    time.sleep(0.2)
    s = socket.create_connection(l.getsockname())
    time.sleep(0.2)
    yield "exclusive wakes some, not all", 1 <= len(woken) < 4
    l.accept()
    for t in threads:
        t.join()
    a, b = joined()
    inner, outer = select.epoll(), select.epoll()
    inner.register(a, IN)
    outer.register(inner.fileno(), IN)
    yield "nested idle", len(outer.poll(0))
    b.send(b"x")
    yield "nested ready", (len(outer.poll(1)), len(inner.poll(0)))
    a.recv(1)
    yield "nested idle again", len(outer.poll(0))
    outer = select.epoll()
    outer.register(inner.fileno(), IN | ET)
    b.send(b"y")
    yield "nested edge", (len(outer.poll(1)), len(outer.poll(0)))
    ep = select.epoll()
    ep.register(a, IN)
    yield "registered twice", try_(ep.register, a, IN)
    d = a.dup()
    ep.register(d, IN)
    yield "both duplicates", len(ep.poll(1))
    a.close()
    yield "one closed", len(ep.poll(0))
    yield "of a file descriptor that is closed", try_(ep.modify, 999, IN)
    r, w, x = select.select([d], [d], [d], 0)
    yield "select", (len(r), len(w), len(x))
    yield "ppoll of none", mask(socket.socket(fileno=os.dup(d.fileno())))


@probe
def asynchronous():
    hit = []
    signal.signal(signal.SIGIO, lambda *_: hit.append(1))
    signal.siginterrupt(signal.SIGIO, False)

    def on(s):
        fcntl.fcntl(s, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(s, fcntl.F_SETFL, fcntl.fcntl(s, fcntl.F_GETFL) | os.O_ASYNC)

    def got(want=1):
        end = time.monotonic() + 1
        while len(hit) < want and time.monotonic() < end:
            time.sleep(0.01)
        n = len(hit)
        hit.clear()
        return n > 0
    a, b = joined()
    on(b)
    a.send(b"x")
    yield "data", got()
    a.close()
    yield "fin", got()
    l = listener()
    on(l)
    s = socket.create_connection(l.getsockname())
    yield "arrival", got()
    s = socket.socket()
    s.setblocking(False)
    on(s)
    s.connect_ex(l.getsockname())
    yield "connect", got()
    yield "owner", fcntl.fcntl(s, fcntl.F_GETOWN) == os.getpid()
    a, b = joined()
    on(b)
    reset(a)
    yield "reset", got()
    signal.signal(signal.SIGIO, signal.SIG_IGN)


@probe
def interrupted():
    """A signal with a handler, with and without SA_RESTART."""
    signal.signal(signal.SIGUSR1, lambda *_: None)
    me = threading.get_native_id()

    def hit(then, arg):
        time.sleep(0.1)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        time.sleep(0.1)
        then(*arg)
    for restart in (True, False):
        signal.siginterrupt(signal.SIGUSR1, not restart)
        word = "restarts" if restart else "plain"
        room = ctypes.create_string_buffer(10)
        a, b = joined()
        t = threading.Thread(target=hit, args=[b.send, [b"x"]])
        t.start()
        yield f"recv {word}", c("recv", a.fileno(), room, 10, 0)
        t.join()
        l = listener()
        keep = []
        t = threading.Thread(target=hit, args=[lambda: keep.append(socket.create_connection(l.getsockname())), []])
        t.start()
        got = c("accept", l.fileno(), None, None)
        yield f"accept {word}", got if isinstance(got, str) else "accepted"
        t.join()
        for timeout in (socket.SO_RCVTIMEO,):
            a, b = joined()
            a.setsockopt(SOL, timeout, struct.pack("qq", 5, 0))
            t = threading.Thread(target=hit, args=[b.send, [b"x"]])
            t.start()
            yield f"recv with a timeout {word}", c("recv", a.fileno(), room, 10, 0)
            t.join()


@probe
def never_interrupted():
    """Calls that do not wait, under a rain of signals whose handler is without SA_RESTART."""
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, True)
    signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
    hits = []
    for call, arguments in ((libc.socket, (2, 1, 0)), (libc.open, (b"/dev/null", os.O_RDONLY))):
        hit = 0
        end = time.monotonic() + 1
        while not hit and time.monotonic() < end:
            fd = call(*arguments)
            hit += fd < 0
            os.close(fd) if fd >= 0 else None
        hits.append(hit > 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(60)
    yield "EINTR", hits[0]
    yield "EINTR of open", hits[1]


@probe
def restarted():
    """bind and connect in a rain of signals whose handler is with SA_RESTART: each happens once, but for the rare answer that a
    signal overtakes (docs/run-differences.md)."""
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, False)
    signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
    l = listener()
    answers = []
    end = time.monotonic() + 1
    while time.monotonic() < end:
        s = socket.socket()
        answers.append(("bind", try_(s.bind, ("127.0.0.1", 0))))
        answers.append(("connect", try_(s.connect, l.getsockname())))
        s.setsockopt(SOL, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
        l.accept()
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(60)
    twice = [a for a in answers if a[1] is not None]
    yield "answers", "once" if len(twice) * 100 < len(answers) else sorted(map(str, set(twice)))


@probe
def threads():
    """One thread waits while another acts on the same socket."""
    def while_(wait, act):
        got = []
        t = threading.Thread(target=lambda: got.append(wait()))
        t.start()
        time.sleep(0.1)
        act()
        t.join(2)
        return got[0] if got else "still waits"
    a, b = joined()
    yield "recv, shutdown of reading", while_(lambda: try_(a.recv, 1), lambda: a.shutdown(socket.SHUT_RD))
    a, b = joined()
    yield "recv, peer resets", while_(lambda: try_(a.recv, 1), lambda: reset(b))
    a, b = joined()
    a.settimeout(None)

    def flood():
        try:
            while True:
                a.send(b"z" * 65536)
        except OSError as e:
            return errno.errorcode[e.errno]
    yield "send, peer resets", while_(flood, lambda: reset(b))
    a, b = joined()
    yield "send, shutdown of writing", while_(flood, lambda: a.shutdown(socket.SHUT_WR))
    l = listener()
    yield "accept, shutdown", while_(lambda: try_(l.accept), lambda: l.shutdown(socket.SHUT_RDWR))
    a, b = joined()
    yield "poll, own shutdown", while_(lambda: mask_in(a), lambda: a.shutdown(socket.SHUT_RD))
    a, b = joined()
    yield "recv, disconnect", while_(lambda: try_(a.recv, 1), lambda: libc.connect(a.fileno(), b"\0" * 16, 16))


def mask_in(s):
    p = select.poll()
    p.register(s, select.POLLIN)
    return named(dict(p.poll(1500)).get(s.fileno(), 0))
