from harness import *
from syn_ack_and_queues import hs, DO
from half_open_and_close import ackof
from siphash import siphash24

KEY = "00010203-04050607-08090a0b-0c0d0e0f"


def cookie(words, src="192.0.2.2", dst="192.0.2.1", fam=AF_INET):
    # sysctl text = 4 x u32 printed from host-endian words
    key = b"".join(struct.pack("<I", int(w, 16)) for w in words.split("-"))
    return struct.pack("<Q", siphash24(key, inet_pton(fam, src) + inet_pton(fam, dst)))


TFOQ = 23
fo = lambda n: (lambda s: s.setsockopt(IPPROTO_TCP, TFOQ, n))


def t_basic():
    print("default", sysr("ipv4/tcp_fastopen"), "key", sysr("ipv4/tcp_fastopen_key"), "bh timeout", sysr("ipv4/tcp_fastopen_blackhole_timeout_sec"))
    t = Tun()
    L = lsock(80, 5, pre=fo(3))
    print("key after setsockopt on a socket, flag 1 only", sysr("ipv4/tcp_fastopen_key"), "get", L.getsockopt(IPPROTO_TCP, TFOQ))
    print(
        "server disabled (flags=1): cookie req ->", show(hs(t, 80, 1, opts=MSS(1460) + TFO(), ack=False)), ndiff({}, nstat(), ("TcpExt.TCPFastOpen"))
    )
    t.send(1, 80, R, 1001)
    sysw("ipv4/tcp_fastopen", 3)
    sysw("ipv4/tcp_fastopen_key", KEY)
    print("key", sysr("ipv4/tcp_fastopen_key"))
    p = hs(t, 80, 2, opts=MSS(1460) + TFO(), ack=False)
    print("cookie req ->", show(p), "expected", cookie(KEY).hex(), ndiff({}, nstat(), ("TcpExt.TCPFastOpen")))
    t.send(2, 80, R, 1001)
    c = bytes.fromhex(opt(p, "TFO")[1])
    n0 = nstat()
    t.send(3, 80, S, 1000, opts=MSS(1460) + TFO(c), data=b"hello")
    p = t.one(0.2, 3)
    print("SYN+cookie+data ->", show(p), "q", q(L), ndiff(n0, nstat()))
    a, pa = L.accept()
    print(
        " accept before the ACK:",
        pa,
        "state",
        info(a)["state"],
        "recv",
        a.recv(10),
        "send",
        E(a.send, b"world"),
        show(t.recv(0.1, 3)),
        "tcpi_options",
        bin(a.getsockopt(IPPROTO_TCP, TCP_INFO, 104)[5]),
    )
    t.send(3, 80, A, 1006, p["seq"] + 6)
    time.sleep(0.02)
    print(" after ACK state", info(a)["state"], ndiff(n0, nstat()))
    n0 = nstat()
    t.send(4, 80, S, 1000, opts=MSS(1460) + TFO(b"\1" * 8), data=b"hello")
    p = t.one(0.2, 4)
    print("bad cookie ->", show(p), ndiff(n0, nstat()), q(L))
    t.send(4, 80, R, 1001)
    n0 = nstat()
    t.send(5, 80, S, 1000, opts=MSS(1460) + TFO(c[:4]), data=b"hello")
    p = t.one(0.2, 5)
    print("4-byte cookie ->", show(p), ndiff(n0, nstat()), q(L))
    t.send(5, 80, R, 1001)
    n0 = nstat()
    t.send(6, 80, S, 1000, opts=MSS(1460) + TFO(c + c), data=b"hello")
    p = t.one(0.2, 6)
    print("16-byte cookie ->", show(p), ndiff(n0, nstat()), q(L))
    t.send(6, 80, R, 1001)
    n0 = nstat()
    t.send(16, 80, S, 1000, opts=MSS(1460) + TFO(c[:3]), data=b"hello")
    p = t.one(0.2, 16)
    print("3-byte (odd) cookie ->", show(p), ndiff(n0, nstat()), q(L))
    t.send(16, 80, R, 1001)
    n0 = nstat()
    t.send(7, 80, S, 1000, opts=MSS(1460) + TFO(c))
    p = t.one(0.2, 7)
    print("cookie, no data ->", show(p), ndiff(n0, nstat()), q(L))
    a, _ = L.accept()
    print(" server sends first in SYN_RECV:", E(a.send, b"early"), show(t.recv(0.1, 7)))
    t.send(7, 80, R, 1001, 0)
    time.sleep(0.02)
    print(" RST then: state", info(a)["state"], "recv", E(a.recv, 1))
    n0 = nstat()
    t.send(8, 80, S, 1000, opts=MSS(1460), data=b"hello")
    p = t.one(0.2, 8)
    print("data, no TFO option ->", show(p), ndiff(n0, nstat()), q(L))
    t.send(8, 80, R, 1001)
    n0 = nstat()
    p = hs(t, 80, 9, opts=MSS(1460) + TFOX(), ack=False)
    print("experimental cookie req ->", show(p), ndiff(n0, nstat()))
    t.send(9, 80, R, 1001)
    t.send(10, 80, S, 1000, opts=MSS(1460) + TFOX(c), data=b"exp")
    p = t.one(0.2, 10)
    print("experimental with cookie ->", show(p), q(L))
    t.send(10, 80, A, 1004, p["seq"] + 1)
    n0 = nstat()
    t.send(11, 80, S | F, 1000, opts=MSS(1460) + TFO(c), data=b"x")
    print("SYN+FIN+data+cookie ->", show(t.recv(0.1, 11)), q(L))
    t.send(12, 80, S, 1000, opts=DO + TFO(c), data=b"x" * 1300)
    p = t.one(0.2, 12)
    print("1300 bytes ->", show(p), q(L))
    ackof(t, 12, 80, p, seq=2301)
    # retransmitted SYN with data to TFO child
    n0 = nstat()
    t.send(13, 80, S, 1000, opts=MSS(1460) + TFO(c), data=b"dup")
    p = t.one(0.2, 13)
    t.send(13, 80, S, 1000, opts=MSS(1460) + TFO(c), data=b"dup")
    print("dup SYN+data ->", show(p), "|2|", show(t.recv(0.1, 13)), q(L))
    print("from other source addr same cookie ->", end="")
    t.send(14, 80, S, 1000, opts=MSS(1460) + TFO(c), data=b"x", src="192.0.2.3")
    print(show(t.recv(0.1, 14)))


def t_limit():
    t = Tun()
    sysw("ipv4/tcp_fastopen", 3)
    sysw("ipv4/tcp_fastopen_key", KEY)
    c = cookie(KEY)
    print(
        "TCP_FASTOPEN set values",
        [(v, (lambda s: (E(s.setsockopt, IPPROTO_TCP, TFOQ, v), s.getsockopt(IPPROTO_TCP, TFOQ)))(socket())) for v in (-1, 0, 1, 100, 5000, 1 << 20)],
    )
    s = socket()
    s.listen(3)
    print("on listener", E(s.setsockopt, IPPROTO_TCP, TFOQ, 2), s.getsockopt(IPPROTO_TCP, TFOQ))
    x = socket()
    E(x.connect, s.getsockname())
    print("on connected", E(x.setsockopt, IPPROTO_TCP, TFOQ, 2))
    L = lsock(80, 5, pre=fo(1))
    n0 = nstat()
    r = []
    for i in range(3):
        t.send(20 + i, 80, S, 1000, opts=MSS(1460) + TFO(c), data=b"hello")
        p = t.one(0.2, 20 + i)
        r.append((p["ack"], p["opts"]))
    print("qlen=1: ", r, q(L), ndiff(n0, nstat()))
    t.recv(0.05)
    t.send(20, 80, A, 1006, p["seq"] + 1)  # wrong ack? harmless
    # RST a pending TFO child -> remembered for 60 s
    L2 = lsock(81, 5, pre=fo(1))
    t.send(30, 81, S, 1000, opts=MSS(1460) + TFO(c), data=b"hello")
    p = t.one(0.2, 30)
    t.send(30, 81, R, 1006)
    time.sleep(0.02)
    t.send(31, 81, S, 1000, opts=MSS(1460) + TFO(c), data=b"hello")
    p = t.one(0.2, 31)
    print(
        "RST of pending TFO child, next TFO SYN ack",
        p["ack"],
        q(L2),
        ndiff(n0, nstat()),
        "accept",
        (lambda r: (info(r[0])["state"], r[0].recv(9)))(L2.accept()),
    )
    L3 = lsock(82, 5, pre=fo(1))
    t.send(40, 82, S, 1000, opts=MSS(1460) + TFO(c), data=b"hello")
    p = t.one(0.2, 40)
    a, _ = L3.accept()
    t.send(41, 82, S, 1000, opts=MSS(1460) + TFO(c), data=b"hello")
    p2 = t.one(0.2, 41)
    print("accepted but not ACKed still counts: ack", p2["ack"])
    t.send(40, 82, A, 1006, p["seq"] + 1)
    time.sleep(0.02)
    t.send(42, 82, S, 1000, opts=MSS(1460) + TFO(c), data=b"hello")
    p2 = t.one(0.2, 42)
    print(" after ACK next ack", p2["ack"])
    # accept queue full
    L4 = lsock(83, 0, pre=fo(10))
    r = []
    for i in range(3):
        t.send(50 + i, 83, S, 1000, opts=MSS(1460) + TFO(c), data=b"hello")
        r.append(show(t.one(0.1, 50 + i)))
    print("backlog 0, qlen 10:", r, q(L4))
    # close listener with pending TFO child
    L5 = lsock(84, 5, pre=fo(10))
    t.send(60, 84, S, 1000, opts=MSS(1460) + TFO(c), data=b"hello")
    p = t.one(0.2, 60)
    t.drain()
    L5.close()
    print("close listener w/ TFO child SYN_RECV:", show(t.recv(0.1, 60)))


def t_flags():
    t = Tun()
    sysw("ipv4/tcp_fastopen_key", KEY)
    c = cookie(KEY)
    port = 100
    for fl in (0, 1, 2, 3, 0x202, 0x200, 0x402, 0x602, 0x406, 7):
        for so in (0, 1):
            port += 1
            sysw("ipv4/tcp_fastopen", fl)
            L = lsock(port, 5, pre=fo(5) if so else None)
            g = L.getsockopt(IPPROTO_TCP, TFOQ)
            t.send(port, port, S, 1000, opts=MSS(1460) + TFO(c), data=b"hello")
            p = t.one(0.2, port)
            t.send(port + 1000, port, S, 1000, opts=MSS(1460), data=b"hello")
            p2 = t.one(0.2, port + 1000)
            t.send(port + 2000, port, S, 1000, opts=MSS(1460) + TFO())
            p3 = t.one(0.2, port + 2000)
            print(
                f'flags {fl:#x} sockopt {so}: max_qlen {g}; cookie+data acked {p["ack"]-1001}; data w/o cookie acked {p2["ack"]-1001}; cookie granted {opt(p3,"TFO") is not None}, q {q(L)}'
            )
    sysw("ipv4/tcp_fastopen", 3)
    L = lsock(90, 5, pre=lambda s: (fo(5)(s), s.setsockopt(IPPROTO_TCP, 34, 1)))
    t.send(1, 90, S, 1000, opts=MSS(1460), data=b"hi")
    print("TCP_FASTOPEN_NO_COOKIE sockopt: acked", t.one(0.2, 1)["ack"] - 1001)
    sysw("ipv4/tcp_fastopen", 0x403)
    L = lsock(91, 7)
    print("0x403 backlog 7 -> max_qlen", L.getsockopt(IPPROTO_TCP, TFOQ))
    sysw("ipv4/tcp_fastopen", 3)
    t.send(2, 91, S, 1000, opts=MSS(1460) + TFO(c), data=b"hi")
    print(" flag cleared after listen, still on:", t.one(0.2, 2)["ack"] - 1001)
    clisten(L.fileno(), 3)
    print(" relisten(3) -> max_qlen", L.getsockopt(IPPROTO_TCP, TFOQ))
    L.shutdown(SHUT_RD)
    sysw("ipv4/tcp_fastopen", 0x403)
    clisten(L.fileno(), 9)
    print(" shutdown+listen(9): max_qlen", L.getsockopt(IPPROTO_TCP, TFOQ))


def t_keys():
    t = Tun()
    sysw("ipv4/tcp_fastopen", 3)
    K2 = "a0b1c2d3-00000000-11111111-22222222"
    for bad in ("xyz", "1-2-3", "00000000-00000000-00000000-0000000g", ""):
        print("bad key", repr(bad), E(sysw, "ipv4/tcp_fastopen_key", bad), end="; ")
    print()
    sysw("ipv4/tcp_fastopen_key", KEY + "," + K2)
    print(sysr("ipv4/tcp_fastopen_key"))
    L = lsock(80, 5, pre=fo(5))
    n0 = nstat()
    t.send(1, 80, S, 1000, opts=MSS(1460) + TFO(cookie(K2)), data=b"hello")
    p = t.one(0.2, 1)
    print("backup-key cookie ->", show(p), "new primary?", opt(p, "TFO") and opt(p, "TFO")[1] == cookie(KEY).hex(), ndiff(n0, nstat()))
    sysw("ipv4/tcp_fastopen_key", K2)
    t.send(2, 80, S, 1000, opts=MSS(1460) + TFO(cookie(KEY)), data=b"hello")
    p = t.one(0.2, 2)
    print("old key gone ->", show(p))
    print(
        "TCP_FASTOPEN_KEY get (inherits netns)",
        L.getsockopt(IPPROTO_TCP, 33, 64).hex(),
        "set len 15",
        E(L.setsockopt, IPPROTO_TCP, 33, b"x" * 15),
        "16",
        E(L.setsockopt, IPPROTO_TCP, 33, b"k" * 16),
        "32",
        E(L.setsockopt, IPPROTO_TCP, 33, b"k" * 16 + b"j" * 16),
        "get",
        L.getsockopt(IPPROTO_TCP, 33, 64),
    )
    c = struct.pack("<Q", siphash24(b"k" * 16, inet_aton("192.0.2.2") + inet_aton("192.0.2.1")))
    t.send(3, 80, S, 1000, opts=MSS(1460) + TFO(c), data=b"hello")
    print("per-socket key works: acked", t.one(0.2, 3)["ack"] - 1001)
    s = socket()
    x = lsock(81, 5)
    s.connect(("127.0.0.1", 81))
    print("KEY on connected", E(s.setsockopt, IPPROTO_TCP, 33, b"k" * 16))
    L6 = lsock(82, 5, "::", AF_INET6, pre=fo(5))
    t.send(4, 82, S, 1000, opts=MSS(1440) + TFO(), v6=True)
    p = t.one(0.2, 4)
    print("v6 cookie", opt(p, "TFO"), cookie(K2, "2001:db8::2", "2001:db8::1", AF_INET6).hex())
    t.send(5, 82, S, 1000, opts=MSS(1460) + TFO(cookie(K2)), data=b"hi")
    print("v4 client to dual v6 listener acked", t.one(0.2, 5)["ack"] - 1001)


def t_tfo_time():
    t = Tun()
    sysw("ipv4/tcp_fastopen", 3)
    sysw("ipv4/tcp_fastopen_key", KEY)
    c = cookie(KEY)
    sysw("ipv4/tcp_synack_retries", 2)
    L = lsock(80, 5, pre=fo(5))
    t.send(1, 80, S, 1000, opts=MSS(1460) + TFO(c), data=b"hello")
    p = t.one(0.2, 1)
    a, _ = L.accept()
    t0 = p["t"]
    r = t.recv(9, 1)
    print(
        "TFO child, no ACK, retries=2: ", [(x["fl"], round(x["t"] - t0, 1)) for x in r], "state", info(a)["state"], "recv", E(a.recv, 9), E(a.recv, 9)
    )


if __name__ == "__main__":
    main(globals())
