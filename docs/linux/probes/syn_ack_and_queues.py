from harness import *

DO = MSS(1460) + SACKOK + TS(1000) + WS(7)


def hs(t, port, sp, seq=1000, opts=DO, ack=True, **k):
    t.send(sp, port, S, seq, opts=opts, **k)
    p = t.one(0.2, sp)
    if p and ack:
        ts = opt(p, "TS")
        t.send(sp, port, A, seq + 1, p["seq"] + 1, opts=TS(1001, ts[1]) if ts else b"", **k)
    return p


def t_synack():
    "SYN-ACK contents"
    t = Tun()
    L = lsock(80, 5)
    for nm, o in (
        ("full", DO),
        ("none", b""),
        ("mss only", MSS(1460)),
        ("mss+ws", MSS(1460) + WS(9)),
        ("mss+sack", MSS(1460) + SACKOK),
        ("ts", TS(5)),
        ("mss 0", MSS(0)),
        ("mss 9000", MSS(9000)),
        ("mss 48", MSS(48)),
        ("ws 15", MSS(1460) + WS(15)),
    ):
        print(nm, show(hs(t, 80, 1000, opts=o, ack=False)))
        t.recv(0.01)
        t.send(1000, 80, R, 1001)
    p = hs(t, 80, 1001, ack=False)
    print("ttl", p["ttl"], "tos", p["tos"], "id", p["id"], "df", p["df"])
    p = hs(t, 80, 1002, ack=False, tos=0x28)
    print("tos reflect off: tos", p["tos"])
    sysw("ipv4/tcp_reflect_tos", 1)
    p = hs(t, 80, 1003, ack=False, tos=0x28)
    print("tcp_reflect_tos=1: tos", p["tos"])
    print("rmem", sysr("ipv4/tcp_rmem"))
    for nm, fl in (
        ("SYN+FIN", S | F),
        ("SYN+RST", S | R),
        ("SYN+PSH", S | P),
        ("SYN+URG", S | U),
        ("SYN+ACK", S | A),
        ("ACK", A),
        ("FIN", F),
        ("RST", R),
        ("none", 0),
        ("FIN+ACK", F | A),
        ("PSH", P),
        ("RST+ACK", R | A),
        ("SYN+ECE+CWR", S | EE | C),
        ("SYN+ECE+CWR+NS", S | EE | C | AE),
    ):
        n0 = nstat()
        t.send(2000, 80, fl, 500, 77777, opts=MSS(1460))
        r = t.recv(0.08, 2000)
        print(" flags", nm, "->", show(r), ndiff(n0, nstat()))
        t.send(2000, 80, R, 501)
    sysw("ipv4/tcp_ecn", 1)
    for nm, fl in (("ecn=1 ECE+CWR", S | EE | C), ("ecn=1 ECE+CWR+NS", S | EE | C | AE)):
        t.send(2001, 80, fl, 500, opts=DO)
        print(nm, show(t.recv(0.08, 2001)))
        t.send(2001, 80, R, 501)
    for v in (0, 1, 2):
        sysw("ipv4/tcp_ecn", v)
        for nm, fl in (("ECE+CWR", S | EE | C), ("ECE+CWR+NS", S | EE | C | AE)):
            t.send(2001, 80, fl, 500, opts=DO)
            print("ecn=%d %s" % (v, nm), show(t.recv(0.08, 2001)))
            t.send(2001, 80, R, 501)
    sysw("ipv4/tcp_ecn", 2)
    n0 = nstat()
    t.send(2002, 80, S, 500, opts=MSS(1460), badsum=True)
    print("bad csum", show(t.recv(0.08, 2002)), ndiff(n0, nstat()))
    # syn with data, no TFO
    n0 = nstat()
    t.send(2003, 80, S, 500, opts=MSS(1460), data=b"hello")
    print("SYN data", show(t.recv(0.08, 2003)), ndiff(n0, nstat()))
    # syn to a bound but not listening / closed
    t.send(2004, 81, S, 500)
    print("closed port SYN", show(t.recv(0.08, 2004)))
    t.send(2004, 81, A, 500, 9999, data=b"xx")
    print("closed port ACK", show(t.recv(0.08, 2004)))
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
    # isn difference for same tuple
    p = [hs(t, 80, 3000, ack=False)]
    t.send(3000, 80, R, 1001)
    time.sleep(0.1)
    p.append(hs(t, 80, 3000, ack=False))
    print("ISN diff same tuple 100ms", (p[1]["seq"] - p[0]["seq"]) & 0xFFFFFFFF, "TS diff", opt(p[1], "TS")[1] - opt(p[0], "TS")[1])
    # setsockopt effects
    for nm, pre in (
        ("RCVBUF 4096", lambda s: s.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)),
        ("MAXSEG 1000", lambda s: s.setsockopt(IPPROTO_TCP, TCP_MAXSEG, 1000)),
        ("WINDOW_CLAMP 3000", lambda s: s.setsockopt(IPPROTO_TCP, TCP_WINDOW_CLAMP, 3000)),
        ("TTL 5", lambda s: s.setsockopt(IPPROTO_IP, IP_TTL, 5)),
        ("TOS 0x10", lambda s: s.setsockopt(IPPROTO_IP, IP_TOS, 0x10)),
    ):
        l = lsock(83, 5, pre=pre)
        p = hs(t, 83, 3001, ack=False)
        print(nm, show(p), "ttl", p["ttl"], "tos", p["tos"])
        l.close()
        t.recv(0.01)
    for k, v in (("tcp_timestamps", 0), ("tcp_sack", 0), ("tcp_window_scaling", 0), ("tcp_timestamps", 1), ("tcp_timestamps", 2)):
        sysw("ipv4/" + k, v)
        print(k, v, show(hs(t, 80, 3100 + v, ack=False)))


def t_acceptq():
    "accept queue limit by raw client"
    t = Tun()
    for bl in (0, 1, 3):
        L = lsock(100 + bl, bl)
        port = 100 + bl
        n0 = nstat()
        r = []
        for i in range(bl + 4):
            p = hs(t, port, 4000 + i)
            r.append("SA" if p else "drop")
        time.sleep(0.05)
        print("backlog", bl, "->", r, "q", q(L), ndiff(n0, nstat()))
        L.close()
        t.drain()


def t_acceptq2():
    "SYNs answered first, then ACKs: more ACKs than queue"
    t = Tun()
    L = lsock(110, 1)
    ps = {}
    for i in range(2):
        ps[i] = hs(t, 110, 5000 + i, ack=False)
    # request queue full is len>backlog -> cookies. disable
    sysw("ipv4/tcp_syncookies", 0)
    sysw("ipv4/tcp_synack_retries", 2)
    ps[2] = hs(t, 110, 5002, ack=False)
    print("third SYN", show(ps[2]))
    for k in range(3):
        if ps.get(k):
            n0 = nstat()
            t.send(5000 + k, 110, A, 1001, ps[k]["seq"] + 1, opts=TS(1001, opt(ps[k], "TS")[1]))
            time.sleep(0.02)
            print("ACK", k, "q", q(L), ndiff(n0, nstat()), show(t.recv(0.02, 5000 + k)))
    L.close()
    L = lsock(111, 0)
    a = hs(t, 111, 5100, ack=False)
    b = hs(t, 111, 5101, ack=False)
    print("backlog 0, two half-open:", bool(a), bool(b))
    for sp, p in ((5100, a), (5101, b)):
        if p:
            n0 = nstat()
            t.send(sp, 111, A, 1001, p["seq"] + 1, opts=TS(1001, opt(p, "TS")[1]))
            time.sleep(0.02)
            print(" ACK ->q", q(L), ndiff(n0, nstat()), sh("cat /proc/net/tcp").count(" 03 "), "SYN_RECV left")
    t0 = time.time()
    r = t.recv(5.0)
    print(" then SYN-ACK rexmit", [(p["dport"], p["fl"], round(p["t"] - t0, 1)) for p in r])
    # data on the dropped ACK
    if b:
        n0 = nstat()
        t.send(5101, 111, A | P, 1001, b["seq"] + 1, opts=TS(1001, opt(b, "TS")[1]), data=b"hello")
        time.sleep(0.02)
        print(" ACK+data while full", q(L), ndiff(n0, nstat()), show(t.recv(0.05, 5101)))
        a2, _ = L.accept()
        n0 = nstat()
        t.send(5101, 111, A | P, 1001, b["seq"] + 1, opts=TS(1001, opt(b, "TS")[1]), data=b"hello")
        time.sleep(0.02)
        print(" after accept, retransmitted data", q(L), ndiff(n0, nstat()), show(t.recv(0.05, 5101)))
        c, _ = L.accept()
        print(" accept data", c.recv(10))
    L.close()
    sysw("ipv4/tcp_abort_on_overflow", 1)
    L = lsock(112, 0)
    a = hs(t, 112, 5200, ack=False)
    b = hs(t, 112, 5201, ack=False)
    if b:
        for sp, p in ((5200, a), (5201, b)):
            n0 = nstat()
            t.send(sp, 112, A, 1001, p["seq"] + 1, opts=TS(1001, opt(p, "TS")[1]))
            time.sleep(0.02)
            print("abort_on_overflow ACK", q(L), show(t.recv(0.02, sp)), ndiff(n0, nstat()))


def t_reqq():
    "SYN queue limits with cookies off; count SYN-ACK for n SYNs"
    t = Tun()
    sysw("ipv4/tcp_syncookies", 0)
    for bl in (0, 1, 2, 8, 64):
        L = lsock(120, bl)
        n0 = nstat()
        ok = 0
        for i in range(bl + 10):
            ok += hs(t, 120, 6000 + i, ack=False) is not None if 0 else 0
            t.send(6000 + i, 120, S, 1000, opts=DO)
        r = t.recv(0.1)
        print(
            "backlog",
            bl,
            "SYNs",
            bl + 10,
            "SYN-ACKs",
            len(r),
            ndiff(n0, nstat()),
            "ss",
            [l.split()[1:3] for l in sh("ss -ltn").splitlines()[1:]],
            "recv",
            sh("ss -tan state syn-recv").count("\n") - 1,
        )
        L.close()
        time.sleep(0.02)
        t.drain()
    for msb in (16, 64, 100):
        sysw("ipv4/tcp_max_syn_backlog", msb)
        L = lsock(121, 4096)
        n0 = nstat()
        for i in range(200):
            t.send(7000 + i, 121, S, 1000, opts=DO)
        r = t.recv(0.2)
        print("max_syn_backlog", msb, "backlog 4096: SYN-ACKs", len(r), "of 200", ndiff(n0, nstat()))
        L.close()
        time.sleep(0.02)
        t.drain()
    # proven peers: complete a connection and close to leave tcp_metrics
    sysw("ipv4/tcp_syncookies", 1)
    sysw("ipv4/tcp_max_syn_backlog", 16)
    L = lsock(122, 64)
    n0 = nstat()
    for i in range(90):
        t.send(8000 + i, 122, S, 1000, opts=DO)
    r = t.recv(0.2)
    print("cookies=1 msb=16 backlog 64: SYN-ACKs", len(r), "of 90", ndiff(n0, nstat()), "half-open", sh("ss -tan state syn-recv").count("\n") - 1)


if __name__ == "__main__":
    main(globals())
