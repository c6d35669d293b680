from harness import *
from syn_ack_and_queues import hs, DO


def ackof(t, sp, port, p, fl=A, data=b"", seq=1001, **k):
    ts = opt(p, "TS")
    t.send(sp, port, fl, seq, p["seq"] + 1, opts=TS(1002, ts[1]) if ts else b"", data=data, **k)


def t_ecn():
    t = Tun()
    L = lsock(80, 50)
    print("default ecn", sysr("ipv4/tcp_ecn"), "opt", sysr("ipv4/tcp_ecn_option"))
    for v in (0, 1, 2):
        sysw("ipv4/tcp_ecn", v)
        for nm, fl in (("ECE+CWR", S | EE | C), ("ECE+CWR+NS", S | EE | C | AE)):
            t.send(2001, 80, fl, 500, opts=DO)
            print("ecn=%d %s" % (v, nm), [p["fl"] for p in t.recv(0.05, 2001)])
            t.send(2001, 80, R, 501)
        t.send(2001, 80, S | EE | C, 500, opts=DO, tos=2)
        print(" SYN with ECT(0)", [p["fl"] for p in t.recv(0.05, 2001)])
        t.send(2001, 80, R, 501)


def t_shrink():
    t = Tun()
    L = lsock(113, 4)
    for i in range(3):
        hs(t, 113, 5300 + i)
    time.sleep(0.02)
    print("3 queued", q(L))
    clisten(L.fileno(), 1)
    print("relisten(1)", q(L))
    p = hs(t, 113, 5310)
    print("new SYN", bool(p))
    a, _ = L.accept()
    p = hs(t, 113, 5311)
    print("after 1 accept", q(L), "new SYN", bool(p))
    a, _ = L.accept()
    p = hs(t, 113, 5312)
    time.sleep(0.02)
    print("after 2 accepts", q(L), "new SYN", bool(p))
    clisten(L.fileno(), 10)
    p = hs(t, 113, 5313)
    time.sleep(0.02)
    print("grow: new SYN", bool(p), q(L))
    clisten(L.fileno(), 0)
    print("relisten(0)", q(L))
    clisten(L.fileno(), -5)
    print("relisten(-5)", q(L))


def t_cookies():
    t = Tun()
    sysw("ipv4/tcp_syncookies", 2)
    L = lsock(130, 5)
    n0 = nstat()
    for m in (0, 100, 535, 536, 537, 1299, 1300, 1439, 1440, 1452, 1459, 1460, 9000):
        o = MSS(m) if m else b""
        t.send(9000 + m % 1000, 130, S, 1000, opts=o)
        p = t.one(0.2)
        if m == 100:
            print("synack cookie", show(p))
        t.send(9000 + m % 1000, 130, A, 1001, p["seq"] + 1)
        time.sleep(0.02)
        try:
            a, _ = L.accept()
            print("client mss", m, "-> TCP_MAXSEG of child", a.getsockopt(IPPROTO_TCP, TCP_MAXSEG))
            a.close()
        except OSError as e:
            print(m, e)
        t.drain()
    print(ndiff(n0, nstat()))
    # ts options
    for nm, o in (
        ("all", MSS(1460) + SACKOK + TS(1000) + WS(7)),
        ("ts only", MSS(1460) + TS(1000)),
        ("ts+ws3", MSS(1460) + TS(1000) + WS(3)),
        ("ts+sack", MSS(1460) + SACKOK + TS(1000)),
        ("no ts, sack+ws", MSS(1460) + SACKOK + WS(7)),
    ):
        t.send(9500, 130, S, 1000, opts=o)
        p = t.one(0.2, 9500)
        ts = opt(p, "TS")
        print(nm, "->", p["opts"], "low6 bits", bin(ts[1] & 63) if ts else "-")
        t.send(9500, 130, A, 1001, p["seq"] + 1, opts=TS(1001, ts[1]) if ts else b"")
        time.sleep(0.02)
        a, _ = L.accept()
        ti = a.getsockopt(IPPROTO_TCP, TCP_INFO, 104)
        print("   child tcpi_options", bin(ti[5]), "snd/rcv wscale", ti[6] & 15, ti[6] >> 4)
        t.send(9500, 130, R, 1001, 0)
        time.sleep(0.01)
        a.close()
        t.drain()
    sysw("ipv4/tcp_ecn", 1)
    t.send(9501, 130, S | EE | C, 1000, opts=DO)
    p = t.one(0.2)
    print("ecn cookie", show(p), bin(opt(p, "TS")[1] & 63))
    t.send(9502, 130, S | EE | C, 1000, opts=MSS(1460))
    p = t.one(0.2)
    print("ecn cookie no ts", show(p))

    # invalid
    def ack(sp, ackno, **k):
        n0 = nstat()
        t.send(sp, 130, A, 1001, ackno, **k)
        time.sleep(0.02)
        return show(t.recv(0.05, sp)), ndiff(n0, nstat())

    t.send(9600, 130, S, 1000, opts=MSS(1460))
    p = t.one(0.2)
    print("bad cookie +1", ack(9600, p["seq"] + 2))
    print(
        "wrong seq",
        (lambda n0: (t.send(9600, 130, A, 1002, p["seq"] + 1), time.sleep(0.02), show(t.recv(0.05, 9600)), ndiff(n0, nstat())))(nstat())[2:],
    )
    print("good", ack(9600, p["seq"] + 1), "q", q(L))
    print("same ACK again (now established)", ack(9600, p["seq"] + 1), q(L))
    # ack with data as cookie ack
    t.send(9601, 130, S, 1000, opts=MSS(1460))
    p = t.one(0.2)
    t.send(9601, 130, A | P, 1001, p["seq"] + 1, data=b"hey")
    time.sleep(0.02)
    print("cookie ACK with data", show(t.recv(0.05, 9601)), q(L))
    t.send(9602, 130, S, 1000, opts=MSS(1460))
    p = t.one(0.2)
    t.send(9602, 130, A | F, 1001, p["seq"] + 1)
    time.sleep(0.02)
    print("cookie ACK with FIN", show(t.recv(0.05, 9602)), q(L))
    t.send(9603, 130, S, 1000, opts=MSS(1460))
    p = t.one(0.2)
    t.send(9603, 130, R | A, 1001, p["seq"] + 1)
    time.sleep(0.02)
    print("cookie RST", show(t.recv(0.05, 9603)), q(L))
    # full accept queue
    for i in range(9):
        t.send(9700 + i, 130, S, 1000, opts=MSS(1460))
        p = t.one(0.1)
        if p:
            t.send(9700 + i, 130, A, 1001, p["seq"] + 1)
    time.sleep(0.02)
    n0 = nstat()
    t.send(9800, 130, S, 1000, opts=MSS(1460))
    print("queue full", q(L), "SYN with cookies=2 ->", show(t.recv(0.05, 9800)), ndiff(n0, nstat()))
    L2 = lsock(131, 0)
    t.send(9900, 131, S, 1000, opts=MSS(1460))
    p1 = t.one(0.2)
    t.send(9901, 131, S, 1000, opts=MSS(1460))
    p2 = t.one(0.2)
    for sp, p in ((9900, p1), (9901, p2)):
        n0 = nstat()
        t.send(sp, 131, A, 1001, p["seq"] + 1)
        time.sleep(0.02)
        print("cookie ACK into queue", q(L2), show(t.recv(0.03, sp)), ndiff(n0, nstat()))
    # syncookies=1 and no overflow: stray ack
    sysw("ipv4/tcp_syncookies", 1)
    L3 = lsock(132, 5)
    n0 = nstat()
    t.send(9902, 132, A, 1001, 12345)
    print("stray ACK, no overflow", show(t.recv(0.05, 9902)), ndiff(n0, nstat()))
    # overflow stamps listener, then stray ACK
    L4 = lsock(133, 0)
    for i in range(3):
        t.send(9910 + i, 133, S, 1000, opts=DO)
    r = t.recv(0.1)
    print(
        "overflowed listener: synacks",
        [(p["dport"], [o[0] for o in p["opts"]]) for p in r],
        "syn-recv",
        sh("ss -Htan state syn-recv sport = 133").count("\n"),
    )
    n0 = nstat()
    t.send(9920, 133, A, 1001, 12345)
    print("stray ACK after overflow", show(t.recv(0.05, 9920)), ndiff(n0, nstat()))
    n0 = nstat()
    print("cookie conns do not show in syn-recv; rexmit of cookie synack in 2.5s:", [(p["dport"], p["fl"]) for p in t.recv(2.5)])
    sysw("ipv4/tcp_syncookies", 0)
    n0 = nstat()
    p = [x for x in r if x["dport"] == 9911][0]
    t.send(9911, 133, A, 1001, p["seq"] + 1, opts=TS(1002, opt(p, "TS")[1]))
    print("cookies turned off before ACK", show(t.recv(0.05, 9911)), ndiff(n0, nstat()))
    print("dmesg", sh("dmesg 2>/dev/null | grep -i flood | tail -3"))


def t_dup_syn():
    t = Tun()
    L = lsock(140, 5)
    p = hs(t, 140, 1, ack=False)
    t0 = time.time()
    t.send(1, 140, S, 1000, opts=DO)
    print("immediate dup SYN ->", [(x["fl"], x["seq"] == p["seq"]) for x in t.recv(0.1, 1)])
    n0 = nstat()
    t.send(1, 140, S, 1000, opts=DO)
    print("2nd dup SYN", [(x["fl"], x["seq"] == p["seq"]) for x in t.recv(0.1, 1)], ndiff(n0, nstat()))
    time.sleep(0.6)
    n0 = nstat()
    t.send(1, 140, S, 1000, opts=DO)
    print("dup after >500ms", [(x["fl"], x["seq"] == p["seq"]) for x in t.recv(0.1, 1)], ndiff(n0, nstat()))
    n0 = nstat()
    t.send(1, 140, S, 5000, opts=DO)
    print("SYN other seq (in 64k window?)", show(t.recv(0.1, 1)), ndiff(n0, nstat()), "syn-recv", sh("ss -Htan state syn-recv").count("\n"))
    p = hs(t, 140, 2, ack=False)
    n0 = nstat()
    t.send(2, 140, S, 900, opts=DO)
    print("SYN lower seq", show(t.recv(0.1, 2)), ndiff(n0, nstat()), "syn-recv", sh("ss -Htan state syn-recv").count("\n"))
    p = hs(t, 140, 3, ack=False)
    n0 = nstat()
    t.send(3, 140, A, 1001, p["seq"] + 2)
    print("bad ack no", show(t.recv(0.1, 3)), ndiff(n0, nstat()), "syn-recv", sh("ss -Htan state syn-recv sport = 140 dport = 3").count("\n"))
    n0 = nstat()
    t.send(3, 140, R, 1002)
    print("RST in window not exact", show(t.recv(0.1, 3)), ndiff(n0, nstat()), "syn-recv", sh("ss -Htan state syn-recv dport = 3").count("\n"))
    n0 = nstat()
    t.send(3, 140, R, 999)
    print("RST out of window", show(t.recv(0.1, 3)), ndiff(n0, nstat()), "syn-recv", sh("ss -Htan state syn-recv dport = 3").count("\n"))
    n0 = nstat()
    t.send(3, 140, R, 1001)
    print("RST exact", show(t.recv(0.1, 3)), ndiff(n0, nstat()), "syn-recv", sh("ss -Htan state syn-recv dport = 3").count("\n"))
    p = hs(t, 140, 4, ack=False)
    n0 = nstat()
    t.send(4, 140, 0, 1001, 0, data=b"x")
    print("no ACK flag data", show(t.recv(0.1, 4)), ndiff(n0, nstat()))
    n0 = nstat()
    t.send(4, 140, A, 1001 + 200000, p["seq"] + 1, opts=TS(1002, opt(p, "TS")[1]))
    print("seq out of window ACK", show(t.recv(0.1, 4)), ndiff(n0, nstat()))
    n0 = nstat()
    t.send(4, 140, A, 1001, p["seq"] + 1, opts=TS(10, opt(p, "TS")[1]))
    print("PAWS-old ts ACK", show(t.recv(0.7, 4)), ndiff(n0, nstat()))
    n0 = nstat()
    t.send(4, 140, A, 1001, p["seq"] + 1)
    time.sleep(0.02)
    print("ACK lacking the TS option", show(t.recv(0.1, 4)), ndiff(n0, nstat()), q(L))
    p = hs(t, 140, 5, ack=False)
    n0 = nstat()
    t.send(5, 140, A | F, 1001, p["seq"] + 1, opts=TS(1002, opt(p, "TS")[1]))
    time.sleep(0.02)
    print("ACK+FIN completes", show(t.recv(0.1, 5)), q(L))
    p = hs(t, 140, 6, ack=False)
    n0 = nstat()
    t.send(6, 140, S | A, 1000, p["seq"] + 1, opts=TS(1002, opt(p, "TS")[1]))
    time.sleep(0.02)
    print("SYN+ACK completing", show(t.recv(0.1, 6)), q(L), ndiff(n0, nstat()))
    # ICMP
    for ty, co, nm in ((3, 1, "host unreach"), (3, 3, "port unreach"), (3, 4, "frag needed"), (11, 0, "ttl"), (3, 13, "admin"), (3, 0, "net")):
        p = hs(t, 140, 7, ack=False)
        ih = (
            struct.pack("!BBHHHBBH", 0x45, 0, 60, 0, 0, 64, 6, 0)
            + inet_aton("192.0.2.1")
            + inet_aton("192.0.2.2")
            + struct.pack("!HHI", 140, 7, p["seq"])
        )
        n0 = nstat()
        t.icmp(ty, co, ih, extra=1000 if co == 4 else 0)
        time.sleep(0.03)
        print(
            "ICMP",
            nm,
            "syn-recv",
            sh("ss -Htan state syn-recv dport = 7").count("\n"),
            ndiff(n0, nstat(), ("Tcp", "Icmp.InE")),
            "so_error",
            L.getsockopt(SOL_SOCKET, SO_ERROR),
        )
        t.send(7, 140, R, 1001)
        t.drain()
    p = hs(t, 140, 8, ack=False)
    ih = (
        struct.pack("!BBHHHBBH", 0x45, 0, 60, 0, 0, 64, 6, 0)
        + inet_aton("192.0.2.1")
        + inet_aton("192.0.2.2")
        + struct.pack("!HHI", 140, 8, p["seq"] + 100)
    )
    n0 = nstat()
    t.icmp(3, 1, ih)
    time.sleep(0.03)
    print("ICMP seq mismatch syn-recv", sh("ss -Htan state syn-recv dport = 8").count("\n"), ndiff(n0, nstat(), ("Tcp", "Icmp.InE")))


def t_acceptedrst():
    t = Tun()
    L = lsock(150, 5)
    L.setblocking(1)
    p = hs(t, 150, 1)
    time.sleep(0.02)
    t.send(1, 150, R | A, 1001, p["seq"] + 1)
    time.sleep(0.02)
    print("RST before accept: q", q(L))
    a, pa = L.accept()
    print(
        "accept ok",
        pa,
        "state",
        info(a)["state"],
        "peer",
        E(a.getpeername),
        "SO_ERROR",
        a.getsockopt(SOL_SOCKET, SO_ERROR),
        "recv",
        E(a.recv, 1),
        "send",
        E(a.send, b"x"),
        "poll",
        (lambda po: (po.register(a, 0xFFFF), po.poll(0)))(select.poll())[1],
    )
    p = hs(t, 150, 11)
    time.sleep(0.02)
    t.send(11, 150, R | A, 1001, p["seq"] + 1)
    time.sleep(0.02)
    a, pa = L.accept()
    print(" recv first", E(a.recv, 1), E(a.recv, 1), "send", E(a.send, b"x"))
    p = hs(t, 150, 2)
    time.sleep(0.02)
    t.send(2, 150, F | A, 1001, p["seq"] + 1, opts=TS(1003, opt(p, "TS")[1]))
    time.sleep(0.02)
    a, pa = L.accept()
    print("FIN before accept: recv", a.recv(5), "state", info(a)["state"])
    p = hs(t, 150, 3)
    time.sleep(0.02)
    ih = (
        struct.pack("!BBHHHBBH", 0x45, 0, 60, 0, 0, 64, 6, 0)
        + inet_aton("192.0.2.1")
        + inet_aton("192.0.2.2")
        + struct.pack("!HHI", 150, 3, p["seq"] + 1)
    )
    t.icmp(3, 1, ih)
    time.sleep(0.02)
    a, pa = L.accept()
    print("ICMP unreach on queued child: accept ok; SO_ERROR", a.getsockopt(SOL_SOCKET, SO_ERROR), "state", info(a)["state"])


def t_close():
    t = Tun()
    L = lsock(160, 5)
    p = hs(t, 160, 1)
    h = hs(t, 160, 2, ack=False)
    p3 = hs(t, 160, 3)
    t.send(3, 160, A | P, 1001, p3["seq"] + 1, opts=TS(1003, opt(p3, "TS")[1]), data=b"unread")
    time.sleep(0.02)
    t.drain()
    print("q", q(L))
    n0 = nstat()
    L.close()
    r = t.recv(0.1)
    print("close ->", [(x["dport"], x["fl"], x["seq"] - {1: p, 2: h, 3: p3}[x["dport"]]["seq"], x["ack"]) for x in r], ndiff(n0, nstat()))
    print("syn-recv remaining", sh("ss -Htan state syn-recv").count("\n"), "new SYN", show(hs(t, 160, 9, ack=False)))
    n0 = nstat()
    ackof(t, 2, 160, h)
    print("ACK for half-open after close", show(t.recv(0.1, 2)), ndiff(n0, nstat()), "syn-recv", sh("ss -Htan state syn-recv").count("\n"))
    L = lsock(160, 5)
    h = hs(t, 160, 4, ack=False)
    L.close()
    print("half-open after close; SYN dup", end=" ")
    t.send(4, 160, S, 1000, opts=DO)
    print(show(t.recv(0.1, 4)))
    L = lsock(161, 5)
    h = hs(t, 161, 5, ack=False)
    L.close()
    L = lsock(161, 5)
    n0 = nstat()
    ackof(t, 5, 161, h)
    time.sleep(0.02)
    print("close, reopen listener, ACK of old half-open", show(t.recv(0.1, 5)), q(L), ndiff(n0, nstat()))
    t0 = time.time()
    L = lsock(162, 5)
    h = hs(t, 162, 6, ack=False)
    L.close()
    r = t.recv(4)
    print(
        "SYN-ACK rexmits after close",
        [(x["dport"], x["fl"]) for x in r if x["dport"] == 6],
        "syn-recv after 4s",
        sh("ss -Htan state syn-recv").count("\n"),
    )
    L = lsock(163, 5)
    p = hs(t, 163, 7)
    time.sleep(0.02)
    L.shutdown(SHUT_RD)
    print("shutdown(RD) with queued child", [(x["dport"], x["fl"]) for x in t.recv(0.1)])
    # linger
    L = lsock(164, 5, pre=lambda s: s.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 5)))
    p = hs(t, 164, 8)
    time.sleep(0.02)
    t0 = time.time()
    L.close()
    print("linger 5 listener close took", round(time.time() - t0, 2), [(x["dport"], x["fl"]) for x in t.recv(0.1)])


def t_tw():
    t = Tun()
    L = lsock(170, 5)
    L.setblocking(1)
    p = hs(t, 170, 1)
    a, _ = L.accept()
    a.close()
    f = t.one(0.2, 1)
    t.send(1, 170, F | A, 1001, f["seq"] + 1, opts=TS(1005, opt(f, "TS")[1]))
    t.recv(0.05)
    print(sh("ss -Htan state time-wait").split()[:4])
    n0 = nstat()
    t.send(1, 170, S, 900, opts=MSS(1460) + TS(1005))
    print("SYN old seq same ts", show(t.recv(0.1, 1)), ndiff(n0, nstat()))
    t.send(1, 170, S, 900, opts=MSS(1460) + TS(900))
    print("SYN old seq old ts", show(t.recv(0.1, 1)))
    n0 = nstat()
    t.send(1, 170, S, 900, opts=MSS(1460) + TS(2000))
    x = t.recv(0.1, 1)
    print("SYN old seq newer ts", show(x), ndiff(n0, nstat()), "isn-(tw_snd_nxt)", (x[0]["seq"] - (f["seq"] + 1)) & 0xFFFFFFFF if x else "")
    t.send(1, 170, R, 901)
    t.drain()
    p = hs(t, 170, 2, opts=MSS(1460))
    a, _ = L.accept()
    a.close()
    f = t.one(0.2, 2)
    t.send(2, 170, F | A, 1001, f["seq"] + 1)
    t.recv(0.05)
    n0 = nstat()
    t.send(2, 170, S, 900, opts=MSS(1460))
    print("no ts: SYN lower seq", show(t.recv(0.1, 2)))
    t.send(2, 170, S, 5000, opts=MSS(1460))
    x = t.recv(0.1, 2)
    print("no ts: SYN higher seq", show(x), "isn diff", (x[0]["seq"] - (f["seq"] + 1)) & 0xFFFFFFFF)
    L.close()
    p = hs(t, 170, 3, ack=False)
    print()


if __name__ == "__main__":
    main(globals())
