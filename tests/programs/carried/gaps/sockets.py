"""Sockets in every state, and how their answers are written."""

import ctypes
import errno
import select
import socket
import struct
import time

libc = ctypes.CDLL(None, use_errno=True)
TCP, SOL, IP, IP6 = socket.IPPROTO_TCP, socket.SOL_SOCKET, socket.IPPROTO_IP, socket.IPPROTO_IPV6

BITS = [("IN", 1), ("PRI", 2), ("OUT", 4), ("ERR", 8), ("HUP", 16), ("NVAL", 32), ("RDNORM", 0x40), ("RDBAND", 0x80),
        ("WRNORM", 0x100), ("MSG", 0x400), ("RDHUP", 0x2000)]


def named(bits):
    return "+".join(n for n, b in BITS if bits & b) or "none"


def mask(s, wait=0):
    """Every bit that poll knows but WRBAND, which has a row of its own."""
    p = select.poll()
    p.register(s, 0x25DF)
    return named(dict(p.poll(wait)).get(s.fileno(), 0))


def until(s, want):
    end = time.monotonic() + 5
    while mask(s) != want and time.monotonic() < end:
        time.sleep(0.002)
    return mask(s)


def has(s, bit):
    """Waits until one bit of poll is there."""
    end = time.monotonic() + 5
    while bit not in mask(s).split("+") and time.monotonic() < end:
        time.sleep(0.002)
    return mask(s)


def try_(call, *args):
    try:
        got = call(*args)
        return got if got is None or isinstance(got, (int, bytes, tuple, str)) else type(got).__name__
    except OSError as e:
        return errno.errorcode.get(e.errno, e.errno)


def c(call, *args):
    """A call of libc: its value, or its errno's name."""
    got = getattr(libc, call)(*args)
    return got if got >= 0 else errno.errorcode[ctypes.get_errno()]


def listener(family=socket.AF_INET, backlog=16):
    s = socket.socket(family)
    s.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    s.listen(backlog)
    return s


def joined(family=socket.AF_INET):
    with listener(family) as l:
        a = socket.create_connection(l.getsockname()[:2])
        b, _ = l.accept()
    return a, b


def closed_port():
    with listener() as l:
        return l.getsockname()


def reset(s):
    s.setsockopt(SOL, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def error_of(s):
    e = s.getsockopt(SOL, socket.SO_ERROR)
    return errno.errorcode.get(e, e)


def connecting():
    """A socket in SYN-SENT: its listener's queue is full."""
    l = listener(backlog=0)
    keep = [socket.create_connection(l.getsockname())]
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(l.getsockname())
    return s, (l, keep)


def failed():
    """A refused non-blocking connect."""
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(closed_port())
    has(s, "OUT")
    return s


def unix_pair():
    return socket.socketpair()


def states():
    """Every state a program can bring a socket to, by name."""
    yield "fresh", socket.socket(), None
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    yield "bound", s, None
    yield "listening", listener(), None
    s, keep = connecting()
    yield "connecting", s, keep
    a, b = joined()
    yield "established", a, b
    a, b = joined()
    b.send(b"data")
    has(a, "IN")
    yield "with data", a, b
    a, b = joined()
    b.shutdown(socket.SHUT_WR)
    has(a, "RDHUP")
    yield "close-wait", a, b
    a, b = joined()
    a.shutdown(socket.SHUT_WR)
    has(b, "RDHUP")
    yield "fin-wait-2", a, b
    a, b = joined()
    a.shutdown(socket.SHUT_RDWR)
    has(b, "RDHUP")
    yield "shut both", a, b
    a, b = joined()
    a.shutdown(socket.SHUT_RD)
    yield "shut for reading", a, b
    a, b = joined()
    b.shutdown(socket.SHUT_WR)
    a.shutdown(socket.SHUT_WR)
    until(a, "IN+OUT+HUP+RDNORM+WRNORM+RDHUP")
    yield "both ended", a, b
    a, b = joined()
    reset(b)
    has(a, "ERR")
    yield "reset", a, None
    a, b = joined()
    b.send(b"data")
    has(a, "IN")
    reset(b)
    has(a, "ERR")
    yield "reset with data", a, None
    yield "refused", failed(), None
    s = socket.socket()
    try_(s.connect, closed_port())
    yield "refused blocking", s, None
    s = failed()
    error_of(s)
    yield "refused and asked", s, None
    a, b = joined()
    try_(a.connect_ex, "") if False else libc.connect(a.fileno(), b"\0" * 16, 16)
    yield "disconnected", a, b
    l = listener()
    l.shutdown(socket.SHUT_RD)
    yield "listener shut", l, None
    a, b = joined()
    b.close()
    has(a, "RDHUP")
    a.send(b"x")
    has(a, "ERR") if False else until(a, "IN+OUT+ERR+HUP+RDNORM+WRNORM+RDHUP")
    yield "reset after close", a, b


def each_state(ask):
    for state, s, keep in states():
        s.setblocking(False)
        yield state, ask(s)
        s.close()
        del keep


PROBES = []


def probe(f):
    PROBES.append(f)
    return f
