from harness import *
from syn_ack_and_queues import hs, DO
from half_open_and_close import ackof


def t_synack2():
    t = Tun()
    L = lsock(80, 50)
    n0 = nstat()
    t.send(2002, 80, S, 500, opts=MSS(1460), badsum=True)
    print("bad csum", show(t.recv(0.08, 2002)), ndiff(n0, nstat()))
    n0 = nstat()
    t.send(2003, 80, S, 500, opts=MSS(1460), data=b"hello")
    print("SYN data", show(t.recv(0.08, 2003)), ndiff(n0, nstat()))
    t.send(2004, 81, S, 500)
    print("closed port SYN", show(t.recv(0.08, 2004)))
    t.send(2004, 81, A, 500, 9999, data=b"xx")
    print("closed port ACK", show(t.recv(0.08, 2004)))
    t.send(2004, 81, F, 500, 0, data=b"xx")
    print("closed port FIN+data", show(t.recv(0.08, 2004)))
    t.send(2005, 80, A, 500, 9999, data=b"xx")
    print("listener ACK data", show(t.recv(0.08, 2005)))
    for d in ("192.0.2.255", "224.0.0.1", "255.255.255.255"):
        t.send(2006, 80, S, 500, dst=d)
        print("SYN to", d, show(t.recv(0.08, 2006)))
    t.send(0, 80, S, 500)
    print("sport 0", show(t.recv(0.08, 0)))
    t.send(2007, 80, S, 500, src="192.0.2.1")
    print("SYN src=own addr", show(t.recv(0.08, 2007)))
    b = socket()
    b.bind(("", 82))
    t.send(2008, 82, S, 1)
    print("bound not listening", show(t.recv(0.08, 2008)))
    p = [hs(t, 80, 3000, ack=False)]
    t.send(3000, 80, R, 1001)
    time.sleep(0.1)
    p.append(hs(t, 80, 3000, ack=False))
    print(
        "ISN diff same tuple ~100ms",
        (p[1]["seq"] - p[0]["seq"]) & 0xFFFFFFFF,
        "TS diff",
        opt(p[1], "TS")[1] - opt(p[0], "TS")[1],
        "dt",
        p[1]["t"] - p[0]["t"],
    )
    for nm, pre in (
        ("RCVBUF 4096", lambda s: s.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)),
        ("RCVBUF 1M", lambda s: s.setsockopt(SOL_SOCKET, SO_RCVBUF, 1 << 17)),
        ("MAXSEG 1000", lambda s: s.setsockopt(IPPROTO_TCP, TCP_MAXSEG, 1000)),
        ("WINDOW_CLAMP 3000", lambda s: s.setsockopt(IPPROTO_TCP, TCP_WINDOW_CLAMP, 3000)),
        ("TTL 5", lambda s: s.setsockopt(IPPROTO_IP, IP_TTL, 5)),
        ("TOS 0x10", lambda s: s.setsockopt(IPPROTO_IP, IP_TOS, 0x10)),
        ("MINTTL 100", lambda s: s.setsockopt(IPPROTO_IP, 21, 100)),
    ):
        l = lsock(83, 5, pre=pre)
        n0 = nstat()
        p = hs(t, 83, 3001, ack=False)
        print(nm, show(p), p and ("ttl", p["ttl"], "tos", p["tos"]), ndiff(n0, nstat()))
        l.close()
        t.send(3001, 83, R, 1001)
        t.recv(0.01)
    for k, v in (("tcp_timestamps", 0), ("tcp_timestamps", 1), ("tcp_sack", 0), ("tcp_window_scaling", 0)):
        sysw("ipv4/" + k, v)
        print(k, v, show(hs(t, 80, 3100 + v, ack=False)))
        t.send(3100 + v, 80, R, 1001)
    sysw("ipv4/tcp_sack", 1)
    sysw("ipv4/tcp_window_scaling", 1)
    # mtu
    sh("ip link set tun0 mtu 1400")
    print("mtu 1400", show(hs(t, 80, 3200, ack=False)))
    L6 = lsock(86, 5, "::", AF_INET6)
    p = hs(t, 86, 3201, v6=True, ack=False)
    print("v6 SYN-ACK", show(p), "flow", p["flow"])


def t_overflow_ack():
    for ab in (0, 1):
        t = Tun("tun%d" % ab, "192.0.2.1/24" if not ab else "192.0.3.1/24", "2001:db8:%d::1/64" % ab)
        k = {} if not ab else dict(src="192.0.3.2", dst="192.0.3.1")
        sysw("ipv4/tcp_abort_on_overflow", ab)
        port = 110 + ab
        L = lsock(port, 1)
        Q = {}
        Q[0] = hs(t, port, 5000, ack=False, **k)
        Q[1] = hs(t, port, 5001, ack=False, **k)
        ackof(t, 5000, port, Q[0], **k)
        Q[2] = hs(t, port, 5002, ack=False, **k)
        ackof(t, 5001, port, Q[1], **k)
        time.sleep(0.02)
        print("abort_on_overflow", ab, "q", q(L), "third half-open", bool(Q[2]))
        n0 = nstat()
        t0 = time.time()
        ackof(t, 5002, port, Q[2], **k)
        print(" final ACK when full:", show(t.recv(0.05, 5002)), ndiff(n0, nstat()), "syn-recv", sh("ss -Htan state syn-recv").count("\n"))
        if ab:
            break
        n0 = nstat()
        ackof(t, 5002, port, Q[2], A | P, b"hello", **k)
        print(" ACK+data when full:", show(t.recv(0.05, 5002)), ndiff(n0, nstat()))
        r = t.recv(3.5)
        print(" SYN-ACK rexmits", [(p["dport"], p["fl"], round(p["t"] - t0, 1)) for p in r], ndiff(n0, nstat()))
        a, _ = L.accept()
        n0 = nstat()
        ackof(t, 5002, port, Q[2], A | P, b"hello", **k)
        time.sleep(0.02)
        print(" room; data resent:", show(t.recv(0.05, 5002)), q(L), ndiff(n0, nstat()))
        a, _ = L.accept()
        a, _ = L.accept()
        print(" read", a.recv(9))


def t_cookie_ts():
    t = Tun()
    sysw("ipv4/tcp_syncookies", 2)
    sysw("ipv4/tcp_timestamps", 2)
    L = lsock(130, 50)
    for nm, o, fl in (
        ("all ws7", MSS(1460) + SACKOK + TS(1000) + WS(7), S),
        ("ts only", MSS(1460) + TS(1000), S),
        ("ts+ws3", MSS(1460) + TS(1000) + WS(3), S),
        ("ts+sack", MSS(1460) + SACKOK + TS(1000), S),
        ("ts+ws14+ecn", MSS(1460) + TS(1000) + WS(14), S | EE | C),
        ("ts+ws15", MSS(1460) + TS(1000) + WS(15), S),
    ):
        t.send(9500, 130, fl, 1000, opts=o)
        p = t.one(0.2, 9500)
        print(nm, "low6 bits", format(opt(p, "TS")[1] & 63, "06b"), p["fl"])
    # two SYN same tuple: cookie same within a minute modulo isn
    t.send(9501, 130, S, 1000, opts=MSS(1460))
    a = t.one(0.2, 9501)
    t.send(9501, 130, S, 1001, opts=MSS(1460))
    b = t.one(0.2, 9501)
    t.send(9501, 130, S, 1000, opts=MSS(1300))
    c = t.one(0.2, 9501)
    print("cookie diff for isn+1", b["seq"] - a["seq"], "for mss 1300 (idx1) vs 1460 (idx 3)", c["seq"] - a["seq"])
    # forged wscale via ts
    t.send(9502, 130, S, 1000, opts=DO)
    p = t.one(0.2, 9502)
    ts = opt(p, "TS")[1]
    t.send(9502, 130, A, 1001, p["seq"] + 1, opts=TS(1001, (ts & ~63) | 0b011110))
    time.sleep(0.02)
    x, _ = L.accept()
    ti = x.getsockopt(IPPROTO_TCP, TCP_INFO, 104)
    print("client edits the TS low bits to wscale 14,sack: options", bin(ti[5]), "wscale snd", ti[6] & 15)
    # MSS 9000
    t.send(9503, 130, S, 1000, opts=MSS(9000))
    p = t.one(0.2, 9503)
    t.send(9503, 130, A, 1001, p["seq"] + 1)
    time.sleep(0.02)
    x, _ = L.accept()
    print("mss 9000 ->", x.getsockopt(IPPROTO_TCP, TCP_MAXSEG))
    # v6 table
    L6 = lsock(131, 50, "::", AF_INET6)
    for m in (1219, 1220, 1279, 1280, 1439, 1440, 1480, 8940, 9000, 0):
        t.send(10000 + m, 131, S, 1000, opts=MSS(m) if m else b"", v6=True)
        p = t.one(0.2, 10000 + m)
        t.send(10000 + m, 131, A, 1001, p["seq"] + 1, v6=True)
        time.sleep(0.02)
        x, _ = L6.accept()
        print("v6 client mss", m, "->", x.getsockopt(IPPROTO_TCP, TCP_MAXSEG), end="; ")
        x.close()
        t.drain()
    print()
    # TFO / save_syn with cookies: save_syn empty
    L2 = lsock(132, 5, pre=lambda s: s.setsockopt(IPPROTO_TCP, 27, 1))
    t.send(9600, 132, S, 1000, opts=DO)
    p = t.one(0.2)
    ackof(t, 9600, 132, p)
    time.sleep(0.02)
    x, _ = L2.accept()
    print("SAVED_SYN under cookies", E(x.getsockopt, IPPROTO_TCP, 28, 500))
    sysw("ipv4/tcp_syncookies", 1)
    t.drain()
    hs(t, 132, 9601)
    time.sleep(0.02)
    x, _ = L2.accept()
    r = x.getsockopt(IPPROTO_TCP, 28, 500)
    print("SAVED_SYN normal: len", len(r), "second read", E(x.getsockopt, IPPROTO_TCP, 28, 500))


def t_defer():
    t = Tun()
    print(
        "TCP_DEFER_ACCEPT set->get",
        [
            (v, (lambda s: (s.setsockopt(IPPROTO_TCP, 9, v), s.getsockopt(IPPROTO_TCP, 9))[1])(socket()))
            for v in (-1, 0, 1, 2, 3, 4, 7, 8, 15, 30, 60, 63, 64, 200, 10**6)
        ],
    )
    L = lsock(90, 5, pre=lambda s: s.setsockopt(IPPROTO_TCP, 9, 1))
    p = hs(t, 90, 1, ack=False)
    n0 = nstat()
    t0 = p["t"]
    ackof(t, 1, 90, p)
    time.sleep(0.02)
    print("bare ACK: q", q(L), ndiff(n0, nstat()), "syn-recv", sh("ss -Htan state syn-recv").count("\n"))
    ackof(t, 1, 90, p, A | P, b"GET")
    time.sleep(0.02)
    print(" then data: q", q(L))
    a, _ = L.accept()
    print(" child TCP_DEFER_ACCEPT", a.getsockopt(IPPROTO_TCP, 9), a.recv(5))
    p = hs(t, 90, 2, ack=False)
    t0 = p["t"]
    ackof(t, 2, 90, p)
    r = t.recv(6, 2)
    print(
        "defer=1, ACK at once, then silence: packets",
        [(x["fl"], round(x["t"] - t0, 1)) for x in r],
        "q",
        q(L),
        "syn-recv",
        sh("ss -Htan state syn-recv").count("\n"),
    )
    L = lsock(91, 5, pre=lambda s: s.setsockopt(IPPROTO_TCP, 9, 1))
    p = hs(t, 91, 3, ack=False)
    t0 = p["t"]
    ackof(t, 3, 91, p)
    r = t.recv(1.5, 3)
    n0 = nstat()
    if r:
        ackof(t, 3, 91, p)
    time.sleep(0.05)
    print("answer the final SYN-ACK with a bare ACK: ", [(x["fl"], round(x["t"] - t0, 1)) for x in r], "q", q(L), ndiff(n0, nstat()))
    p = hs(t, 91, 4, ack=False)
    ackof(t, 4, 91, p, A | F)
    time.sleep(0.02)
    print("ACK+FIN (no data): q", q(L))
    L = lsock(92, 5, pre=lambda s: s.setsockopt(IPPROTO_TCP, 9, 5))
    p = hs(t, 92, 5, ack=False)
    t0 = p["t"]
    ackof(t, 5, 92, p)
    r = t.recv(16, 5)
    print(
        "defer=5(->7s, retrans 3): packets",
        [(x["fl"], round(x["t"] - t0, 1)) for x in r],
        "q",
        q(L),
        "syn-recv",
        sh("ss -Htan state syn-recv sport = 92").count("\n"),
    )


def t_syncnt():
    t = Tun()
    L = lsock(93, 5, pre=lambda s: s.setsockopt(IPPROTO_TCP, TCP_SYNCNT, 1))
    p = hs(t, 93, 1, ack=False)
    t0 = p["t"]
    r = t.recv(3.5, 1)
    n = sh("ss -Htan state syn-recv").count("\n")
    print(
        "listener TCP_SYNCNT=1: SYN-ACK rexmits",
        [round(x["t"] - t0, 1) for x in r],
        "syn-recv at 3.5s",
        n,
        ndiff({}, nstat(), ("TcpExt.TCPTime", "TcpExt.TCPSynR", "TcpExt.ListenD", "Tcp.Att")),
    )
    sysw("ipv4/tcp_synack_retries", 0)
    p = hs(t, 94, 2, ack=False) if 0 else None
    L = lsock(94, 5)
    p = hs(t, 94, 2, ack=False)
    t0 = p["t"]
    r = t.recv(1.6, 2)
    print("synack_retries=0: rexmits", [round(x["t"] - t0, 1) for x in r], "syn-recv", sh("ss -Htan state syn-recv sport = 94").count("\n"))
    sysw("ipv4/tcp_synack_retries", 5)
    sysw("ipv4/tcp_rto_max_ms", 1000)
    L = lsock(95, 5)
    p = hs(t, 95, 3, ack=False)
    t0 = p["t"]
    r = t.recv(8, 3)
    print("tcp_rto_max_ms=1000: rexmits", [round(x["t"] - t0, 1) for x in r], "syn-recv", sh("ss -Htan state syn-recv sport = 95").count("\n"))
    sysw("ipv4/tcp_rto_max_ms", 120000)
    # young/old rule: fill more than half
    L = lsock(96, 16)
    for i in range(9):
        t.send(100 + i, 96, S, 1000, opts=DO)
    r0 = t.recv(0.1)
    t0 = time.time()
    r = t.recv(16)
    c = {}
    for x in r:
        c.setdefault(x["dport"], []).append(round(x["t"] - t0))
    print("backlog 16, 9 half-open (>half): rexmit times per req", c, "left", sh("ss -Htan state syn-recv sport = 96").count("\n"))


def t_synack_default():
    t = Tun()
    L = lsock(97, 5)
    p = hs(t, 97, 1, ack=False)
    t0 = p["t"]
    r = t.recv(63.5, 1)
    print(
        "default retries 5: rexmit times",
        [round(x["t"] - t0, 2) for x in r],
        "syn-recv at",
        round(time.time() - t0, 1),
        sh("ss -Htan state syn-recv").count("\n"),
        ndiff({}, nstat(), ("TcpExt.TCPTime", "TcpExt.TCPSynR", "TcpExt.ListenD", "Tcp.Att", "Tcp.Retr", "TcpExt.Emb")),
    )


if __name__ == "__main__":
    main(globals())
