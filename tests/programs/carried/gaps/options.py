"""getsockopt and setsockopt, and options that change how a call waits."""

import errno
import fcntl
import socket
import struct
import threading
import time

from sockets import IP, IP6, SOL, TCP, connecting, has, joined, listener, mask, probe, try_


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
