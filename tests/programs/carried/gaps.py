"""What a program can ask of a TCP socket, one answer a line, each with its own label: natively and under `hearken run`.

Usage: gaps.py [PREFIX]. Lines whose answer differs are the gaps that tests/programs/gaps.rs declares; all others are the same.
"""

import array
import ctypes
import errno
import fcntl
import mmap
import os
import select
import signal
import socket
import stat
import struct
import sys
import termios
import threading
import time

signal.alarm(100)
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
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
def ioctls():
    for name, request in [("INQ", 0x541B), ("OUTQ", 0x5411), ("OUTQNSD", 0x894B), ("ATMARK", 0x8905), ("GETOWN", 0x8903), ("GPGRP", 0x8904),
                          ("GSTAMP", 0x8906), ("NREAD2", 0x4004667F), ("TCGETS", 0x5401), ("UNKNOWN", 0x89FF)]:
        def ask(s):
            room = ctypes.create_string_buffer(64)
            r = c("ioctl", s.fileno(), ctypes.c_ulong(request), room)
            return r, struct.unpack("i", room.raw[:4])[0]
        for state, answer in each_state(ask):
            # SIOCOUTQ subtracts sequence numbers, of which an ended connection leaves any.
            if "OUTQ" not in name or state in ("fresh", "listening", "connecting", "established", "with data"):
                yield f"{name} {state}", answer


@probe
def fcntls():
    def ask(s):
        fd = s.fileno()
        return (hex(fcntl.fcntl(fd, fcntl.F_GETFL)), fcntl.fcntl(fd, fcntl.F_GETFD), fcntl.fcntl(fd, fcntl.F_GETOWN),
                try_(fcntl.fcntl, fd, 1032), try_(fcntl.lockf, fd, fcntl.LOCK_EX | fcntl.LOCK_NB), try_(fcntl.fcntl, fd, fcntl.F_SETFL, os.O_APPEND),
                try_(fcntl.fcntl, fd, fcntl.F_SETFL, os.O_DIRECT))
    for state, s, keep in states():
        yield state, ask(s)


@probe
def files():
    a, b = joined()
    fd = a.fileno()
    st = os.fstat(fd)
    yield "mode", (oct(st.st_mode), st.st_size, st.st_nlink, st.st_uid == os.getuid(), st.st_blksize, st.st_rdev)
    yield "link", (os.readlink(f"/proc/self/fd/{fd}") == f"socket:[{st.st_ino}]")
    yield "open again", try_(os.open, f"/proc/self/fd/{fd}", os.O_RDWR)
    yield "seek", try_(os.lseek, fd, 0, 0)
    yield "pread", try_(os.pread, fd, 1, 0)
    yield "pwrite", try_(os.pwrite, fd, b"x", 0)
    yield "truncate", try_(os.ftruncate, fd, 0)
    yield "sync", try_(os.fsync, fd)
    yield "datasync", try_(os.fdatasync, fd)
    yield "fallocate", try_(os.posix_fallocate, fd, 0, 10)
    yield "advise", try_(os.posix_fadvise, fd, 0, 10, 0)
    try:
        mmap.mmap(fd, 4096)
        yield "map", "mapped"
    except (OSError, ValueError) as e:
        yield "map", str(e)[:12]
    yield "chmod", try_(os.fchmod, fd, 0o600)
    yield "chown", try_(os.fchown, fd, os.getuid(), -1)
    yield "chdir", try_(os.fchdir, fd)
    yield "xattrs", try_(os.listxattr, fd)
    yield "xattr", try_(os.getxattr, fd, "system.sockprotoname")
    yield "statfs", hex(os.fstatvfs(fd).f_bsize)
    yield "fdinfo", [l.split(":")[0] for l in open(f"/proc/self/fdinfo/{fd}")]
    yield "copy_file_range", try_(os.copy_file_range, fd, b.fileno(), 10)
    yield "tty", os.isatty(fd)
    yield "kcmp", c("syscall", 312, os.getpid(), os.getpid(), 0, ctypes.c_ulong(fd), ctypes.c_ulong(os.dup(fd)))
    yield "pidfd_getfd", c("syscall", 438, os.pidfd_open(os.getpid()), fd, 0) > 0
    for flag in ("O_RDONLY", "O_PATH"):
        yield flag, try_(os.open, f"/dev/fd/{fd}", getattr(os, flag)) if flag != "O_PATH" else os.open(f"/dev/fd/{fd}", os.O_PATH) > 0


@probe
def proc():
    a, b = joined()
    port = "%04X" % a.getsockname()[1]
    yield "tcp", sum(port in l for l in open("/proc/net/tcp"))
    a6, b6 = joined(socket.AF_INET6)
    port = "%04X" % a6.getsockname()[1]
    yield "tcp6", sum(port in l for l in open("/proc/net/tcp6"))
    inode = str(os.fstat(a.fileno()).st_ino)
    yield "unix", sum(inode in l.split() for l in open("/proc/net/unix"))
    words = [l.split() for l in open("/proc/net/sockstat") if l.startswith("TCP:")][0]
    yield "sockstat", int(words[words.index("inuse") + 1]) >= 2
    snmp = [l.split() for l in open("/proc/net/snmp") if l.startswith("Tcp:")]
    yield "snmp", int(dict(zip(*snmp))["ActiveOpens"]) > 0
    yield "sysctl rmem", len(open("/proc/sys/net/ipv4/tcp_rmem").read().split())


def opt(s, level, name, size=4):
    got = try_(s.getsockopt, level, name, size)
    return got.hex() if isinstance(got, bytes) and size > 4 else (int.from_bytes(got, "little") if isinstance(got, bytes) else got)


SOL_NAMES = """DEBUG 1 REUSEADDR 2 TYPE 3 ERROR 4 DONTROUTE 5 BROADCAST 6 SNDBUF 7 RCVBUF 8 KEEPALIVE 9 OOBINLINE 10 NO_CHECK 11 PRIORITY 12
 BSDCOMPAT 14 REUSEPORT 15 PASSCRED 16 RCVLOWAT 18 SNDLOWAT 19 PEERNAME 28 TIMESTAMP 29 ACCEPTCONN 30 PEERSEC 31 PASSSEC 34 TIMESTAMPNS 35 MARK 36
 TIMESTAMPING 37 PROTOCOL 38 DOMAIN 39 RXQ_OVFL 40 WIFI_STATUS 41 PEEK_OFF 42 NOFCS 43 LOCK_FILTER 44 SELECT_ERR_QUEUE 45 BUSY_POLL 46
 INCOMING_CPU 49 MEMINFO 55 INCOMING_NAPI_ID 56 COOKIE 57 PEERGROUPS 59 ZEROCOPY 60 TXTIME 61 BINDTOIFINDEX 62 TIMESTAMP_NEW 63 PREFER_BUSY_POLL 69
 BUSY_POLL_BUDGET 70 NETNS_COOKIE 71 BUF_LOCK 72 RESERVE_MEM 73 TXREHASH 74 RCVMARK 75 PASSPIDFD 76 PEERPIDFD 77 RCVPRIORITY 82 UNKNOWN 999"""
TCP_NAMES = """NODELAY 1 MAXSEG 2 CORK 3 KEEPIDLE 4 KEEPINTVL 5 KEEPCNT 6 SYNCNT 7 LINGER2 8 DEFER_ACCEPT 9 WINDOW_CLAMP 10 QUICKACK 12 THIN_LINEAR 16
 THIN_DUPACK 17 USER_TIMEOUT 18 REPAIR 19 FASTOPEN 23 TIMESTAMP 24 NOTSENT_LOWAT 25 SAVE_SYN 27 SAVED_SYN 28 FASTOPEN_CONNECT 30 FASTOPEN_NO_COOKIE 34
 INQ 36 TX_DELAY 37 UNKNOWN 999"""
IP_NAMES = """TOS 1 TTL 2 HDRINCL 3 OPTIONS 4 RECVOPTS 6 PKTINFO 8 MTU_DISCOVER 10 RECVERR 11 RECVTTL 12 RECVTOS 13 MTU 14 FREEBIND 15 TRANSPARENT 19
 ORIGDSTADDR 20 MINTTL 21 NODEFRAG 22 BIND_ADDRESS_NO_PORT 24 MULTICAST_IF 32 MULTICAST_TTL 33 MULTICAST_LOOP 34 LOCAL_PORT_RANGE 51 UNKNOWN 999"""
IP6_NAMES = """UNICAST_HOPS 16 MULTICAST_HOPS 18 MTU_DISCOVER 23 MTU 24 RECVERR 25 V6ONLY 26 RECVPKTINFO 49 TCLASS 67 DONTFRAG 62 AUTOFLOWLABEL 70 MINHOPCOUNT 73
 FREEBIND 78 TRANSPARENT 75 ADDRFORM 1 RECVHOPLIMIT 51 RECVTCLASS 66 UNKNOWN 999"""


def table(text):
    words = text.split()
    return zip(words[::2], map(int, words[1::2]))


@probe
def get():
    """Every option, of a fresh, a listening and a connected socket."""
    a, b = joined()
    a6, b6 = joined(socket.AF_INET6)
    l = listener()
    for s, kind in ((socket.socket(), "fresh"), (l, "listening"), (a, "connected")):
        for names, level, of in ((SOL_NAMES, SOL, "SO"), (TCP_NAMES, TCP, "TCP"), (IP_NAMES, IP, "IP"), (IP6_NAMES, IP6, "IPV6")):
            for name, number in table(names):
                if name in ("COOKIE", "NETNS_COOKIE", "INCOMING_CPU", "TIMESTAMP", "PEERPIDFD", "SNDBUF", "RCVBUF", "WINDOW_CLAMP", "MEMINFO", "PEERNAME", "INCOMING_NAPI_ID"):
                    got = try_(s.getsockopt, level, number, 64)
                    got = len(got) if isinstance(got, bytes) else got
                else:
                    got = opt(s, level, number, 8)
                yield f"{of}_{name} {kind}", got
    for name, number in table(IP6_NAMES):
        yield f"IPV6_{name} six", opt(a6, IP6, number, 8)
    for name, number in table(IP_NAMES):
        yield f"IP_{name} six", opt(a6, IP, number, 8)


@probe
def put():
    """Every option set to 1 and to -1, and what it is then."""
    for names, level, of in ((SOL_NAMES, SOL, "SO"), (TCP_NAMES, TCP, "TCP"), (IP_NAMES, IP, "IP"), (IP6_NAMES, IP6, "IPV6")):
        for name, number in table(names):
            if name in ("COOKIE", "NETNS_COOKIE", "INCOMING_CPU", "PEERPIDFD", "MEMINFO", "PEERNAME", "TIMESTAMP", "REPAIR", "ADDRFORM", "OPTIONS", "INCOMING_NAPI_ID"):
                continue
            s = socket.socket(socket.AF_INET6 if of == "IPV6" else socket.AF_INET)
            answers = []
            # The largest SO_RCVLOWAT and TCP_MAXSEG hang on the machine's memory.
            for value in (1, 0) if name == "RCVLOWAT" else (1, -1, 0):
                answers.append(try_(s.setsockopt, level, number, struct.pack("i", value)))
                answers.append(opt(s, level, number, 8))
            answers.append(try_(s.setsockopt, level, number, b"\1"))
            yield f"{of}_{name}", answers
            s.close()


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
def lowat():
    a, b = joined()
    b.setsockopt(SOL, socket.SO_RCVLOWAT, 5)
    yield "read back", opt(b, SOL, socket.SO_RCVLOWAT)
    a.send(b"abc")
    time.sleep(0.1)
    yield "unread below", struct.unpack("i", fcntl.ioctl(b, 0x541B, b"\0" * 4))[0]
    yield "poll below", mask(b)
    b.setblocking(False)
    yield "read below", try_(b.recv, 1)
    a.send(b"defg")
    yield "poll above", has(b, "IN")
    b.setblocking(True)
    b.recv(100)
    # What a waiting reader has taken does not count for Linux: five more wake it.
    a.send(b"12")
    t = threading.Timer(0.05, a.send, [b"34567"])
    t.start()
    yield "blocking waits", b.recv(100)
    t.join()
    a, b = joined()
    a.setsockopt(TCP, 25, 1)
    yield "notsent lowat", mask(a)


@probe
def times():
    a, b = joined()
    for name in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        for value in ((0, 0), (1, 500_000), (0, 1), (-1, 0), (0, 1_000_000), (0, -1)):
            yield f"{name} {value}", (try_(a.setsockopt, SOL, name, struct.pack("qq", *value)), opt(a, SOL, name, 16))
        a.setsockopt(SOL, name, struct.pack("qq", 0, 0))
    b.setsockopt(SOL, socket.SO_SNDTIMEO, struct.pack("qq", 0, 60_000))
    begun = time.monotonic()
    try:
        while True:
            b.sendall(b"z" * 1_000_000)
    except OSError as e:
        yield "send", (errno.errorcode[e.errno], 0.05 < time.monotonic() - begun < 20)
    s, keep = connecting()
    s2 = socket.socket()
    s2.setsockopt(SOL, socket.SO_SNDTIMEO, struct.pack("qq", 0, 60_000))
    yield "connect", (try_(s2.connect, s.getpeername() if False else keep[0].getsockname()), mask(s2), try_(s2.connect, keep[0].getsockname()))


@probe
def linger():
    a, b = joined()
    yield "read back", (opt(a, SOL, socket.SO_LINGER, 8), a.setsockopt(SOL, socket.SO_LINGER, struct.pack("ii", 1, 3)), opt(a, SOL, socket.SO_LINGER, 8))
    # The peer reads nothing, and more is written than both buffers hold.
    a.setblocking(False)
    try:
        while True:
            a.send(b"z" * 65536)
    except BlockingIOError:
        pass
    a.setblocking(True)
    a.setsockopt(SOL, socket.SO_LINGER, struct.pack("ii", 1, 1))
    begun = time.monotonic()
    a.close()
    yield "close waits", time.monotonic() - begun > 0.9
    a, b = joined()
    a.setsockopt(SOL, socket.SO_LINGER, struct.pack("ii", 1, 0))
    a.send(b"lost?")
    a.close()
    has(b, "ERR")
    yield "zero", [try_(b.recv, 10), try_(b.recv, 10)]


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


@probe
def tee():
    a, b = joined()
    r, w = os.pipe()
    r2, w2 = os.pipe()
    os.write(w, b"through a pipe")
    yield "tee", try_(c, "tee", r, w2, 100, 0)
    yield "splice in", os.splice(r2, a.fileno(), 100)
    has(b, "IN")
    yield "splice out", os.splice(b.fileno(), w2, 100)
    b.setsockopt(SOL, socket.SO_RCVTIMEO, struct.pack("qq", 0, 100_000))
    begun = time.monotonic()
    got = c("splice", b.fileno(), None, w2, None, 100, 2)
    yield "splice with SPLICE_F_NONBLOCK waits", (got, time.monotonic() - begun > 0.05)
    b.setblocking(False)
    yield "splice from non-blocking", try_(os.splice, b.fileno(), w2, 100)
    yield "tee of a socket", c("tee", b.fileno(), w2, 100, 0)
    yield "splice of two sockets", try_(os.splice, b.fileno(), a.fileno(), 100)
    yield "vmsplice", c("vmsplice", a.fileno(), None, 0, 0)
    yield "sendfile from a socket", try_(os.sendfile, a.fileno(), b.fileno(), None, 100)
    a.shutdown(socket.SHUT_WR)
    has(b, "RDHUP")
    yield "splice at the end", try_(os.splice, b.fileno(), w2, 100)
    with open(__file__, "rb") as f:
        yield "sendfile after the end", try_(os.sendfile, a.fileno(), f.fileno(), 0, 100)
        s = socket.socket()
        yield "sendfile on a fresh one", try_(os.sendfile, s.fileno(), f.fileno(), 0, 100)


@probe
def passing():
    for family in (socket.AF_INET, socket.AF_INET6):
        a, b = joined(family)
        here, there = unix_pair()
        socket.send_fds(here, [b"x"], [a.fileno(), b.fileno()])
        _, fds, _, _ = socket.recv_fds(there, 10, 5)
        a.close()
        b.close()
        c2, d2 = (socket.socket(fileno=f) for f in fds)
        c2.send(b"passed")
        yield f"{family.name} data", d2.recv(10)
        yield f"{family.name} names", c2.getpeername() == d2.getsockname()
    a, b = joined()
    here, there = unix_pair()
    socket.send_fds(here, [b"x"], [a.fileno()])
    a.close()
    yield "in flight stays open", mask(b)
    here.close()
    there.close()
    yield "closed with its carrier", until(b, "IN+OUT+RDNORM+WRNORM+RDHUP")


@probe
def inherit():
    a, b = joined()
    if (child := os.fork()) == 0:
        b.close()
        os.write(a.fileno(), b"child")
        os._exit(0)
    a.close()
    os.waitpid(child, 0)
    yield "child wrote", (b.recv(10), b.recv(10))
    a, b = joined()
    for s in (a, b):
        s.set_inheritable(False)
    if (child := os.fork()) == 0:
        os.execvp("sh", ["sh", "-c", f"test -e /proc/self/fd/{a.fileno()} && exit 1; exit 0"])
    yield "close on exec", os.waitpid(child, 0)[1]
    a, b = joined()
    os.dup2(b.fileno(), 200)
    b.close()
    a.send(b"dup2")
    yield "dup2", os.read(200, 10)
    os.close(200)
    yield "its close", until(a, "IN+OUT+RDNORM+WRNORM+RDHUP")
    c_, d = joined()
    e, f = joined()
    os.dup2(c_.fileno(), e.fileno())
    yield "dup2 over an open one", (until(f, "IN+OUT+RDNORM+WRNORM+RDHUP"), c_.getsockname() == e.getsockname())
    a, b = joined()
    if (child := os.fork()) == 0:
        b.close()
        signal.pause()
    a.close()
    yield "held by a child", mask(b)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    yield "released by its death", until(b, "IN+OUT+RDNORM+WRNORM+RDHUP")
    l = listener()
    if (child := os.fork()) == 0:
        s, _ = l.accept()
        s.send(b"from the child")
        os._exit(0)
    s = socket.create_connection(l.getsockname())
    yield "accepted by a child", s.recv(100)
    os.waitpid(child, 0)
    a, b = joined()
    yield "close_range", (c("close_range", a.fileno(), a.fileno(), 0), until(b, "IN+OUT+RDNORM+WRNORM+RDHUP"))
    a.detach()


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
    hit = 0
    end = time.monotonic() + 1
    while not hit and time.monotonic() < end:
        fd = libc.socket(2, 1, 0)
        hit += fd < 0
        os.close(fd) if fd >= 0 else None
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(60)
    yield "EINTR", hit > 0


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


only = sys.argv[1] if len(sys.argv) > 1 else ""
for probe_ in PROBES:
    if not probe_.__name__.startswith(only):
        continue
    try:
        for label, value in probe_():
            print(f"{probe_.__name__}, {label}: {value}", flush=True)
    except Exception as e:
        print(f"{probe_.__name__}, fails: {type(e).__name__} {e} line {sys.exc_info()[2].tb_next.tb_lineno if sys.exc_info()[2].tb_next else 0}", flush=True)
