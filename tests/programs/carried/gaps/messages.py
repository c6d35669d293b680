"""recvmsg and sendmsg, flags, urgent data."""

import array
import ctypes
import fcntl
import os
import signal
import socket
import struct
import threading
import time

from sockets import IP, SOL, c, closed_port, has, joined, mask, probe, try_
from options import opt


@probe
def message():
    a, b = joined()
    a.send(b"abcdef")
    has(b, "IN")
    yield "recvmsg", b.recvmsg(3, 100)
    yield "rest", b.recvmsg(10, 0, socket.MSG_DONTWAIT)
    r, w = os.pipe()
    right = [(SOL, socket.SCM_RIGHTS, array.array("i", [r]))]
    yield "rights", try_(a.sendmsg, [b"x"], right)
    yield "rights arrive", (has(b, "IN"), try_(b.recvmsg, 10, 100, socket.MSG_DONTWAIT))
    yield "credentials", try_(a.sendmsg, [b"x"], [(SOL, 2, struct.pack("iii", os.getpid(), os.getuid(), os.getgid()))])
    yield "ancillary of IP", try_(a.sendmsg, [b"x"], [(IP, socket.IP_TTL, struct.pack("i", 9))])
    yield "ancillary unknown", try_(a.sendmsg, [b"x"], [(SOL, 99, b"abcd")])
    yield "ancillary of another level", try_(a.sendmsg, [b"x"], [(77, 1, b"abcd")])
    b.recv(100, socket.MSG_DONTWAIT) if has(b, "IN") else None
    a, b = joined()
    yield "with address", try_(a.sendmsg, [b"x"], [], 0, ("127.0.0.1", 9))
    yield "EOR", try_(a.send, b"x", socket.MSG_EOR)
    yield "CONFIRM", try_(a.send, b"x", 0x800)
    yield "DONTROUTE", try_(a.send, b"x", socket.MSG_DONTROUTE)
    yield "MORE", try_(a.send, b"x", socket.MSG_MORE)
    yield "BATCH", try_(a.send, b"x", 0x40000)
    yield "PROXY", try_(a.send, b"x", 0x10)
    yield "FASTOPEN", try_(a.send, b"x", 0x20000000)
    yield "ZEROCOPY", try_(a.send, b"x", 0x4000000)
    yield "SPLICE_PAGES", try_(a.send, b"x", 0x8000000)
    yield "unknown flag", try_(a.send, b"x", 0x200000)
    yield "ERRQUEUE", try_(b.recv, 10, 0x2000 | socket.MSG_DONTWAIT)
    yield "CMSG_CLOEXEC", try_(b.recv, 1, 0x40000000)
    yield "WAITFORONE", try_(b.recv, 1, 0x10000)
    yield "fresh fastopen", try_(socket.socket().sendto, b"x", 0x20000000, closed_port())
    yield "name of recvfrom", b.recvfrom(1)


@probe
def many():
    """sendmmsg and recvmmsg."""
    class Iov(ctypes.Structure):
        _fields_ = [("base", ctypes.c_char_p), ("len", ctypes.c_size_t)]

    class Msg(ctypes.Structure):
        _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.POINTER(Iov)), ("iovlen", ctypes.c_size_t),
                    ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int), ("pad", ctypes.c_int),
                    ("len", ctypes.c_uint), ("pad2", ctypes.c_uint)]
    a, b = joined()
    msgs = (Msg * 2)()
    for m, text in zip(msgs, (b"first", b"second")):
        m.iov, m.iovlen = ctypes.pointer(Iov(text, len(text))), 1
    yield "sendmmsg", (c("sendmmsg", a.fileno(), msgs, 2, 0), [m.len for m in msgs])
    while len(b.recv(100, socket.MSG_PEEK)) < 11:
        pass
    room = [ctypes.create_string_buffer(6), ctypes.create_string_buffer(6)]
    for m, r in zip(msgs, room):
        m.iov, m.iovlen = ctypes.pointer(Iov(ctypes.cast(r, ctypes.c_char_p), 6)), 1
    yield "recvmmsg", (c("recvmmsg", b.fileno(), msgs, 2, 0x40, None), [m.len for m in msgs], [m.flags for m in msgs])


@probe
def flags():
    a, b = joined()
    a.send(b"0123456789")
    has(b, "IN")
    yield "peek then read", (b.recv(4, socket.MSG_PEEK), b.recv(2), b.recv(3, socket.MSG_PEEK))
    yield "trunc", (b.recv_into(bytearray(3), 3, socket.MSG_TRUNC), b.recv(2))
    yield "trunc peek", (try_(b.recv_into, bytearray(2), 2, socket.MSG_TRUNC | socket.MSG_PEEK), b.recv(10))
    yield "trunc nothing there", try_(b.recv_into, bytearray(2), 2, socket.MSG_TRUNC | socket.MSG_DONTWAIT)
    a.send(b"part")
    t = threading.Timer(0.05, a.send, [b"rest"])
    t.start()
    yield "waitall", b.recv(8, socket.MSG_WAITALL)
    t.join()
    a.send(b"part")
    t = threading.Timer(0.05, a.shutdown, [socket.SHUT_WR])
    t.start()
    yield "waitall and end", b.recv(8, socket.MSG_WAITALL)
    a, b = joined()
    a.send(b"part")
    has(b, "IN")
    yield "waitall peek dontwait", b.recv(8, socket.MSG_WAITALL | socket.MSG_PEEK | socket.MSG_DONTWAIT)
    b.setsockopt(SOL, socket.SO_RCVTIMEO, struct.pack("qq", 0, 50_000))
    yield "waitall and time", (b.recv(8, socket.MSG_WAITALL), try_(b.recv, 8, socket.MSG_WAITALL))


@probe
def peek_off():
    a, b = joined()
    yield "set", (try_(b.setsockopt, SOL, 42, 0), opt(b, SOL, 42))
    a.send(b"0123456789")
    has(b, "IN")
    yield "peeks", (b.recv(3, socket.MSG_PEEK), b.recv(3, socket.MSG_PEEK), b.recv(2), b.recv(3, socket.MSG_PEEK))


@probe
def urgent():
    def pair(inline=0):
        a, b = joined()
        b.setsockopt(SOL, socket.SO_OOBINLINE, inline)
        return a, b
    a, b = pair()
    yield "send", try_(a.send, b"abc", socket.MSG_OOB)
    has(b, "IN")
    yield "poll", mask(b)
    yield "at mark", fcntl.ioctl(b, 0x8905, b"\0" * 4)[0]
    yield "read", b.recv(10)
    yield "at mark then", fcntl.ioctl(b, 0x8905, b"\0" * 4)[0]
    yield "out of band", try_(b.recv, 10, socket.MSG_OOB)
    yield "again", try_(b.recv, 10, socket.MSG_OOB)
    a, b = pair(1)
    a.send(b"ab")
    a.send(b"c", socket.MSG_OOB)
    a.send(b"de")
    time.sleep(0.1)
    b.setblocking(False)
    yield "inline", [try_(b.recv, 10), fcntl.ioctl(b, 0x8905, b"\0" * 4)[0], try_(b.recv, 10)]
    yield "inline out of band", try_(b.recv, 10, socket.MSG_OOB)
    a, b = pair()
    hit = []
    signal.signal(signal.SIGURG, lambda *_: hit.append(1))
    fcntl.fcntl(b, fcntl.F_SETOWN, os.getpid())
    a.send(b"!", socket.MSG_OOB)
    end = time.monotonic() + 0.5
    while not hit and time.monotonic() < end:
        time.sleep(0.01)
    yield "SIGURG", len(hit)
    signal.signal(signal.SIGURG, signal.SIG_IGN)
