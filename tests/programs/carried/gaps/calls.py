"""One call at a time, in every state."""

import ctypes
import os
import signal
import socket
import struct

from sockets import SOL, c, each_state, error_of, has, joined, libc, listener, mask, probe, try_


@probe
def poll():
    yield from each_state(mask)


@probe
def names():
    def ask(s):
        peer, own = try_(s.getpeername), try_(s.getsockname)
        return peer if isinstance(peer, str) else "peer", own[0], own[1] != 0
    yield from each_state(ask)


@probe
def so_error():
    yield from each_state(lambda s: (error_of(s), error_of(s), mask(s)))


@probe
def read():
    yield from each_state(lambda s: [try_(os.read, s.fileno(), 10), try_(os.read, s.fileno(), 10), try_(os.read, s.fileno(), 10)])


@probe
def recv_nothing():
    yield from each_state(lambda s: try_(s.recv, 0))


@probe
def peek():
    yield from each_state(lambda s: [try_(s.recv, 10, socket.MSG_PEEK), try_(s.recv, 10, socket.MSG_PEEK)])


@probe
def write():
    yield from each_state(lambda s: [try_(os.write, s.fileno(), b"x"), try_(os.write, s.fileno(), b"x"), error_of(s)])


@probe
def send():
    yield from each_state(lambda s: [try_(s.send, b"x", socket.MSG_NOSIGNAL), try_(s.send, b"x", socket.MSG_NOSIGNAL), error_of(s)])


@probe
def send_nothing():
    yield from each_state(lambda s: try_(s.send, b"", socket.MSG_NOSIGNAL))


@probe
def sendto():
    yield from each_state(lambda s: try_(s.sendto, b"x", ("127.0.0.1", 9)))


@probe
def signals():
    hit = []
    signal.signal(signal.SIGPIPE, lambda *_: hit.append(1))

    def ask(s):
        hit.clear()
        first = try_(os.write, s.fileno(), b"x"), len(hit)
        return first, try_(os.write, s.fileno(), b"x"), len(hit)
    yield from each_state(ask)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


@probe
def shutdown():
    for how in (0, 1, 2):
        for state, answer in each_state(lambda s: (try_(s.shutdown, how), mask(s))):
            yield f"{state} {'read write both'.split()[how]}", answer


@probe
def shutdown_bad():
    yield from each_state(lambda s: (c("shutdown", s.fileno(), 3), c("shutdown", s.fileno(), -1)))


@probe
def listen():
    yield from each_state(lambda s: (c("listen", s.fileno(), 5), mask(s)))


@probe
def accept():
    yield from each_state(lambda s: try_(s.accept))


@probe
def bind():
    yield from each_state(lambda s: (try_(s.bind, ("127.0.0.1", 0)), try_(s.bind, ("127.0.0.1", 0))))


@probe
def connect():
    l = listener()
    yield from each_state(lambda s: (try_(s.connect, l.getsockname()), try_(s.connect, l.getsockname())))


@probe
def unspec():
    def ask(s):
        r = c("connect", s.fileno(), b"\0" * 16, 16)
        return r, mask(s), error_of(s), mask(s), try_(os.read, s.fileno(), 1)
    yield from each_state(ask)


@probe
def address_errors():
    s = socket.socket()
    fd = s.fileno()
    good = struct.pack("!HH4s8s", 0x0200, 0, bytes([127, 0, 0, 1]), b"")
    for name in ("bind", "connect"):
        yield f"{name} short", c(name, fd, good, 8)
        yield f"{name} one", c(name, fd, good, 1)
        yield f"{name} zero", c(name, fd, good, 0)
        yield f"{name} negative", c(name, fd, good, -1)
        yield f"{name} long", c(name, fd, good + b"\0" * 200, 129)
        yield f"{name} nowhere", c(name, fd, ctypes.c_void_p(8), 16)
        yield f"{name} family", c(name, fd, b"\x4d\0" + good[2:], 16)
    yield "unspec bind", c("bind", fd, b"\0" * 16, 16)
    s = socket.socket()
    yield "unspec bind elsewhere", c("bind", s.fileno(), b"\0\0\0\0" + bytes([127, 0, 0, 1]) + b"\0" * 8, 16)
    yield "six to four", c("connect", s.fileno(), struct.pack("<H", 10) + b"\0" * 26, 28)
    s6 = socket.socket(socket.AF_INET6)
    yield "four to six", c("connect", s6.fileno(), good, 16)
    for name in ("getsockname", "getpeername", "accept"):
        yield f"{name} nowhere", c(name, s.fileno(), ctypes.c_void_p(8), ctypes.byref(ctypes.c_int(16)))
        yield f"{name} no length", c(name, s.fileno(), ctypes.create_string_buffer(16), None)
        yield f"{name} negative", c(name, s.fileno(), ctypes.create_string_buffer(16), ctypes.byref(ctypes.c_int(-1)))
    for name, call in (("getsockopt", libc.getsockopt), ("setsockopt", libc.setsockopt)):
        yield f"{name} nowhere", c(name, s.fileno(), SOL, socket.SO_KEEPALIVE, ctypes.c_void_p(8), 4 if name[0] == "s" else ctypes.byref(ctypes.c_int(4)))
    yield "bad fd", [c(n, 999, None, None) for n in ("bind", "connect", "accept", "getsockname", "getpeername")]
    r, w = os.pipe()
    yield "not a socket", [c(n, r, good, 16) for n in ("bind", "connect")] + [c(n, r, None, None) for n in ("accept", "getsockname")]
    for domain, kind, protocol in ((2, 1, 17), (2, 1, 255), (2, 1, 256), (2, 1, -1), (2, 5, 0), (2, 3, 6), (2, 3, 0), (2, 0, 0), (2, 11, 0), (2, 1 | 0x100, 0), (10, 1, 132), (2, 1, 262), (2, 5, 132), (2, 6, 33), (99, 1, 0)):
        got = c("socket", domain, kind, protocol)
        yield f"socket {domain} {kind} {protocol}", got if isinstance(got, str) else "made"
    yield "socketpair", c("socketpair", 2, 1, 0, (ctypes.c_int * 2)())


@probe
def after_close():
    """What stays when the descriptor has gone."""
    a, b = joined()
    a.send(b"z" * 200_000)
    a.close()
    got = 0
    while piece := b.recv(1 << 16):
        got += len(piece)
    yield "written bytes", got
    a, b = joined()
    port = a.getsockname()[1]
    a.close()
    has(b, "RDHUP")
    b.close()
    s = socket.socket()
    yield "port of time-wait", try_(s.bind, ("127.0.0.1", port))
    s.setsockopt(SOL, socket.SO_REUSEADDR, 1)
    yield "port of time-wait, reused", try_(s.bind, ("127.0.0.1", port))
    a, b = joined()
    b.send(b"unread")
    has(a, "IN")
    a.close()
    yield "closed with unread data", (has(b, "ERR"), try_(b.recv, 10), error_of(b))
