# urgent data: MSG_OOB both ways
from harness import *


SIOCATMARK, SIOCINQ = 0x8905, 0x541B


def mark(s):
    b = fcntl.ioctl(s, SIOCATMARK, struct.pack("i", -1))
    return struct.unpack("i", b)[0]


def inq(s):
    return struct.unpack("i", fcntl.ioctl(s, SIOCINQ, struct.pack("i", -1)))[0]


def polls(s):
    p = select.poll()
    p.register(s, 0x7FFF)
    return hex(sum(e for _, e in p.poll(0)))


def st(s):
    return (f"mark {mark(s)} inq {inq(s)} poll {polls(s)}",)


def urgp(raw):
    t = raw[20:] if raw[0] >> 4 == 4 else raw[40:]
    return struct.unpack("!H", t[18:20])[0]


def seg(t, sp, fl, seq, ack, urg, data=b"", opts=b""):
    "a segment with an urgent pointer"
    h = struct.pack("!HHIIHHHH", sp, 80, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, (5 + len(opts) // 4 << 12) | fl, 65535, 0, urg) + opts + data
    a, b = inet_aton("192.0.2.2"), inet_aton("192.0.2.1")
    c = csum(a + b + struct.pack("!BBH", 0, 6, len(h)) + h)
    h = h[:16] + struct.pack("!H", c) + h[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(h), 1, 0x4000, 64, 6, 0) + a + b
    t.raw(ip[:10] + struct.pack("!H", csum(ip)) + ip[12:] + h)


def raws(t, timeout=0.1):
    out = []
    end = time.time() + timeout
    while True:
        r = select.select([t.fd], [], [], max(0, end - time.time()))
        if not r[0]:
            return out
        b = os.read(t.fd, 65536)
        p = parse(b)
        if p and p["icmp"] is None:
            out.append((p["fl"], p["seq"], p["ack"], len(p["data"]), "urg", urgp(b)))


def est(t, L, sp):
    t.send(sp, 80, S, 1000, opts=MSS(1460))
    p = t.one(0.3, sp)
    n = p["seq"] + 1
    t.send(sp, 80, A, 1001, n)
    time.sleep(0.02)
    a, _ = L.accept()
    a.setblocking(0)
    return a, n


def t_send():
    "what send(MSG_OOB) puts on the wire"
    t = Tun()
    L = lsock(80, 50)
    rel = lambda r, n: [(f, s - n, a - 1001, l, u, g) for f, s, a, l, u, g in r]
    a, n = est(t, L, 1)
    print("send 1 OOB", E(a.send, b"x", MSG_OOB), rel(raws(t), n))
    t.send(1, 80, A, 1001, n + 1)
    print("send 5 OOB", E(a.send, b"abcde", MSG_OOB), rel(raws(t), n))
    t.send(1, 80, A, 1001, n + 6)
    print("plain after", E(a.send, b"plain"), rel(raws(t), n))
    t.send(1, 80, A, 1001, n + 11)
    print("0 bytes OOB", E(a.send, b"", MSG_OOB), rel(raws(t), n))
    print("OOB|MORE", E(a.send, b"abc", MSG_OOB | MSG_MORE), rel(raws(t), n))
    t.send(1, 80, A, 1001, n + 14)
    print("then", rel(raws(t, 0.4), n))
    a, n = est(t, L, 2)
    print("3000 then OOB", E(a.send, b"p" * 1000), E(a.send, b"q" * 3000), E(a.send, b"xy", MSG_OOB), rel(raws(t), n))
    t.send(2, 80, A, 1001, n + 1000)
    print("acked 1000", rel(raws(t, 0.05), n))
    t.send(2, 80, A, 1001, n + 4002)
    a, n = est(t, L, 3)
    a.setsockopt(IPPROTO_TCP, TCP_CORK, 1)
    print("corked 10 then OOB", E(a.send, b"p" * 10), rel(raws(t), n), E(a.send, b"xy", MSG_OOB), rel(raws(t), n))
    a, n = est(t, L, 4)
    print("retransmitted OOB", E(a.send, b"abc", MSG_OOB), rel(raws(t, 0.7), n))
    t.send(4, 80, A, 1001, n + 3)
    raws(t)
    a, n = est(t, L, 5)
    t.send(5, 80, A, 1001, n, win=0)
    print("window 0", E(a.send, b"abc", MSG_OOB), rel(raws(t, 0.7), n))
    a, n = est(t, L, 6)
    print("20000, OOB", E(a.send, b"p" * 20000), E(a.send, b"x", MSG_OOB), rel(raws(t, 0.05), n))
    t.send(6, 80, A, 1001, n + 14600)
    print("acked", rel(raws(t, 0.05), n))


def t_send_far():
    "the urgent byte more than 65535 ahead"
    t = Tun()
    L = lsock(80, 50)
    L.setsockopt(SOL_SOCKET, SO_SNDBUF, 1 << 18)
    t.send(1, 80, S, 1000, opts=MSS(1460) + WS(4))
    n = t.one(0.3, 1)["seq"] + 1
    t.send(1, 80, A, 1001, n, win=65535)
    time.sleep(0.02)
    a, _ = L.accept()
    a.setblocking(0)
    print(E(a.send, b"p" * 100000), E(a.send, b"x", MSG_OOB))
    at = n
    for i in range(30):
        r = raws(t, 0.03)
        print([(f, s - n, l, g) for f, s, _, l, u, g in r][:3], "...", len(r))
        if not r:
            break
        at = r[-1][1] + r[-1][3]
        t.send(1, 80, A, 1001, at)


def t_send_states():
    t = Tun()
    s = socket()
    print("fresh", E(s.send, b"x", MSG_OOB), E(s.recv, 1, MSG_OOB))
    L = lsock(80, 50)
    print("listener", E(L.send, b"x", MSG_OOB), E(L.recv, 1, MSG_OOB))
    a, n = est(t, L, 1)
    print("no urgent", E(a.recv, 1, MSG_OOB), st(a))
    a.shutdown(SHUT_WR)
    print("after SHUT_WR", E(a.send, b"x", MSG_OOB | MSG_NOSIGNAL))
    u = socket(AF_INET, SOCK_DGRAM)
    u.connect(("192.0.2.2", 9))
    u.setblocking(0)
    print("udp", E(u.send, b"x", MSG_OOB), E(u.recv, 1, MSG_OOB))


def t_recv():
    t = Tun()
    L = lsock(80, 50)
    a, n = est(t, L, 1)
    seg(t, 1, A | P | U, 1001, n, 3, b"abc")
    print("abc urg 3:", *st(a), "oob peek", E(a.recv, 5, MSG_OOB | MSG_PEEK), E(a.recv, 5, MSG_OOB), E(a.recv, 5, MSG_OOB), *st(a))
    print("  recv", E(a.recv, 10), *st(a), E(a.recv, 10), *st(a))
    seg(t, 1, A | P, 1004, n, 0, b"def")
    print("  def", *st(a), E(a.recv, 10), *st(a), "oob", E(a.recv, 1, MSG_OOB))
    a, n = est(t, L, 2)
    seg(t, 2, A | P | U, 1001, n, 3, b"abcde")
    print("abcde urg 3:", *st(a), E(a.recv, 10), *st(a), E(a.recv, 10), *st(a), "oob", E(a.recv, 5, MSG_OOB))
    a, n = est(t, L, 3)
    seg(t, 3, A | P | U, 1001, n, 3, b"abcde")
    print("  oob first", E(a.recv, 5, MSG_OOB), E(a.recv, 2), *st(a), E(a.recv, 10), *st(a))
    a, n = est(t, L, 4)
    a.setsockopt(SOL_SOCKET, SO_OOBINLINE, 1)
    seg(t, 4, A | P | U, 1001, n, 3, b"abcde")
    print("inline:", *st(a), "oob", E(a.recv, 5, MSG_OOB), E(a.recv, 10), *st(a), E(a.recv, 1), *st(a), E(a.recv, 10), *st(a))
    a, n = est(t, L, 5)
    seg(t, 5, A | U, 1001, n, 3, b"")
    print("pointer before the byte:", *st(a), "oob", E(a.recv, 5, MSG_OOB), E(a.recv, 5))
    seg(t, 5, A | P, 1001, n, 0, b"ab")
    print("  ab", *st(a), "oob", E(a.recv, 5, MSG_OOB), E(a.recv, 5), *st(a), E(a.recv, 5))
    seg(t, 5, A | P, 1003, n, 0, b"cd")
    print("  cd", *st(a), "oob", E(a.recv, 5, MSG_OOB), E(a.recv, 5), *st(a))
    a, n = est(t, L, 6)
    seg(t, 6, A | P | U, 1001, n, 1, b"ab")
    seg(t, 6, A | P | U, 1003, n, 1, b"cd")
    print("two:", *st(a), "oob", E(a.recv, 5, MSG_OOB), E(a.recv, 9), *st(a), E(a.recv, 9))
    a, n = est(t, L, 7)
    seg(t, 7, A | P | U, 1001, n, 0, b"ab")
    print("urg 0:", *st(a), "oob", E(a.recv, 5, MSG_OOB), E(a.recv, 9), *st(a))
    a, n = est(t, L, 8)
    seg(t, 8, A | P | U, 1001, n, 1, b"x")
    print("only urgent:", *st(a), "recv", E(a.recv, 5), "oob", E(a.recv, 5, MSG_OOB), *st(a), E(a.recv, 5), *st(a))
    seg(t, 8, A | F, 1002, n, 0)
    time.sleep(0.02)
    print("  fin:", *st(a), E(a.recv, 5), E(a.recv, 5, MSG_OOB), *st(a))
    a, n = est(t, L, 9)
    seg(t, 9, A | P | U, 1001, n, 2, b"abcd")
    print("peek:", E(a.recv, 9, MSG_PEEK), *st(a), E(a.recv, 1), *st(a), E(a.recv, 9, MSG_PEEK), *st(a), E(a.recv, 9))
    a, n = est(t, L, 10)
    seg(t, 10, A | P | U, 1001, n, 2, b"abcd")
    seg(t, 10, A | P | U, 1001, n, 2, b"abcd")
    print("again:", *st(a), E(a.recv, 9, MSG_OOB), E(a.recv, 9), E(a.recv, 9), E(a.recv, 9, MSG_OOB))
    a, n = est(t, L, 11)
    seg(t, 11, A | P | U, 1003, n, 1, b"cd")
    print("out of order:", *st(a), E(a.recv, 9, MSG_OOB))
    seg(t, 11, A | P, 1001, n, 0, b"ab")
    print("  filled:", *st(a), E(a.recv, 9, MSG_OOB), E(a.recv, 9), *st(a), E(a.recv, 9), E(a.recv, 9, MSG_OOB))
    a, n = est(t, L, 12)
    seg(t, 12, A | P | U, 1001, n, 2, b"abcd")
    print("inline set late:", *st(a), E(a.setsockopt, SOL_SOCKET, SO_OOBINLINE, 1), *st(a), E(a.recv, 9, MSG_OOB), E(a.recv, 9), *st(a), E(a.recv, 9), *st(a))
    a, n = est(t, L, 13)
    a.setsockopt(SOL_SOCKET, SO_OOBINLINE, 1)
    seg(t, 13, A | P | U, 1001, n, 2, b"abcd")
    print("inline cleared late:", *st(a), E(a.setsockopt, SOL_SOCKET, SO_OOBINLINE, 0), *st(a), E(a.recv, 9, MSG_OOB), E(a.recv, 9), *st(a), E(a.recv, 9), *st(a))
    a, n = est(t, L, 14)
    seg(t, 14, A | P | U, 1001, n, 4000, b"abcd")
    print("far ahead:", *st(a), E(a.recv, 9, MSG_OOB), E(a.recv, 9), *st(a))
    seg(t, 14, A | P | U, 1005, n, 2, b"efgh")
    print("  nearer pointer:", *st(a), E(a.recv, 9, MSG_OOB), E(a.recv, 9), *st(a))
    a, n = est(t, L, 15)
    seg(t, 15, A | P | U, 1001, n, 4, b"abcd")
    print("rcvlowat/trunc:", E(a.recv, 2, MSG_TRUNC), *st(a), E(a.recv, 0, MSG_OOB), *st(a), E(a.recv, 9, MSG_OOB | MSG_TRUNC), *st(a))
    a, n = est(t, L, 16)
    seg(t, 16, A | P | U, 1001, n, 2, b"abcd")
    seg(t, 16, A | R, 1005, n, 0)
    time.sleep(0.02)
    print("reset:", polls(a), E(a.recv, 9, MSG_OOB), E(a.recv, 9, MSG_OOB), E(a.recv, 9))


def t_sysctl():
    "tcp_stdurg"
    t = Tun()
    sysw("ipv4/tcp_stdurg", 1)
    L = lsock(80, 50)
    a, n = est(t, L, 1)
    seg(t, 1, A | P | U, 1001, n, 2, b"abcd")
    print("urg 2:", *st(a), E(a.recv, 9, MSG_OOB), E(a.recv, 9), E(a.recv, 9))
    a, n = est(t, L, 2)
    seg(t, 2, A | P | U, 1001, n, 0, b"abcd")
    print("urg 0:", *st(a), E(a.recv, 9, MSG_OOB), E(a.recv, 9), E(a.recv, 9))
    print("send", E(a.send, b"xyz", MSG_OOB), [(f, s - n, l, g) for f, s, _, l, u, g in raws(t)])


def t_handshake():
    "URG on SYN, on the ACK, on a stray"
    t = Tun()
    L = lsock(80, 50)
    seg(t, 1, S | U, 1000, 0, 5, b"", MSS(1460))
    r = raws(t)
    print("SYN|URG", r)
    n = r[0][1] + 1
    seg(t, 1, A | U | P, 1001, n, 2, b"abc")
    time.sleep(0.02)
    a, _ = L.accept()
    a.setblocking(0)
    print("ACK|URG", *st(a), E(a.recv, 9, MSG_OOB), E(a.recv, 9), E(a.recv, 9), raws(t))
    a, n = est(t, L, 2)
    print("multiple readers: blocking recv stops at mark")
    seg(t, 2, A | U | P, 1001, n, 3, b"abcdef")
    print(E(a.recv, 6, MSG_WAITALL), E(a.recv, 6, MSG_WAITALL))


def t_signal():
    "SIGURG and F_SETOWN"
    t = Tun()
    L = lsock(80, 50)
    got = []
    signal.signal(signal.SIGURG, lambda *x: got.append("URG"))
    a, n = est(t, L, 1)
    print("own", fcntl.fcntl(a, fcntl.F_GETOWN))
    seg(t, 1, A | P | U, 1001, n, 2, b"abcd")
    time.sleep(0.02)
    print("without owner", got)
    print(fcntl.fcntl(a, fcntl.F_SETOWN, os.getpid()), fcntl.fcntl(a, fcntl.F_GETOWN) == os.getpid())
    seg(t, 1, A | P | U, 1005, n, 2, b"abcd")
    time.sleep(0.02)
    print("with owner", got)
    ep = select.epoll()
    ep.register(a, select.EPOLLPRI)
    print("epoll", ep.poll(0))
    r = select.select([], [], [a], 0)
    print("select exceptional", len(r[2]))


if __name__ == "__main__":
    main(globals())
