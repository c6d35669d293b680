from harness import *

DO = MSS(1460) + SACKOK + TS(1000) + WS(7)
ECT1, ECT0, CE = 1, 2, 3


def kw(v6):
    return dict(v6=True) if v6 else {}


def fam(v6):
    return AF_INET6 if v6 else AF_INET


def full(s):
    b = s.getsockopt(IPPROTO_TCP, TCP_INFO, 400)
    return dict(options=b[5], len=len(b), delivered_ce=struct.unpack_from("I", b, 196)[0], tail=b[248:].hex())


def line(p):
    return (p["fl"], "tos", p["tos"] & 3, len(p["data"]))


def lines(ps):
    return [line(p) for p in ps]


def est(t, port, sp, v6, fl=S | EE | C, tos=0, ack_tos=0, opts=DO, **k):
    t.send(sp, port, fl, 1000, opts=opts, tos=tos, **kw(v6), **k)
    p = t.one(0.2, sp)
    ts = opt(p, "TS")
    t.send(sp, port, A, 1001, p["seq"] + 1, opts=TS(1001, ts[1]) if ts else b"", tos=ack_tos, **kw(v6))
    t.recv(0.02)
    return p


def child(L):
    c, _ = L.accept()
    c.setblocking(False)
    return c


def t_bounds():
    "what tcp_ecn and its fellows take"
    for v in (-1, 0, 1, 2, 3, 4, 5, 255, 256):
        print("tcp_ecn", v, E(sysw, "ipv4/tcp_ecn", v), end="; ")
    print()
    for v in (-1, 0, 1, 2, 3, 256):
        print("tcp_ecn_fallback", v, E(sysw, "ipv4/tcp_ecn_fallback", v), end="; ")
    print()


def t_negotiate():
    "SYN by flags, IP field and sysctl: SYN-ACK flags and its own IP field, TCPI_OPT_ECN, counters"
    t = Tun()
    sp = 2000
    for v6 in (False, True):
        L = lsock(80 + v6, 50, "::" if v6 else "", fam(v6))
        for v in (0, 1, 2):
            sysw("ipv4/tcp_ecn", v)
            for nm, fl, tos in (
                ("none", S, 0),
                ("ECE", S | EE, 0),
                ("CWR", S | C, 0),
                ("ECE+CWR", S | EE | C, 0),
                ("ECE+CWR tos 0x28", S | EE | C, 0x28),
                ("ECE+CWR ECT1", S | EE | C, 1),
                ("ECE+CWR ECT0", S | EE | C, 2),
                ("ECE+CWR CE", S | EE | C, 3),
                ("AE+CWR+ECE", S | EE | C | AE, 0),
                ("AE+CWR+ECE ECT0", S | EE | C | AE, 2),
                ("AE+ECE", S | EE | AE, 0),
            ):
                sp += 1
                n0 = nstat()
                p = est(t, 80 + v6, sp, v6, fl, tos)
                c = child(L)
                print("v6" if v6 else "v4", "ecn", v, nm, line(p), "options %02x" % full(c)["options"], ndiff(n0, nstat(), ("TcpExt", "IpExt")))
                t.send(sp, 80 + v6, R, 1001, **kw(v6))
                c.close()
                t.recv(0.01)


def t_data():
    "marks on what an ECN connection sends; ECE until CWR; CWR after ECE"
    t = Tun()
    for v6 in (False, True):
        print("--- v6" if v6 else "--- v4")
        L = lsock(80 + v6, 50, "::" if v6 else "", fam(v6))
        sp = 3000 + v6
        p = est(t, 80 + v6, sp, v6, opts=MSS(1460))
        c = child(L)
        seq, ack = 1001, p["seq"] + 1
        k = kw(v6)
        print("fresh", full(c))
        c.send(b"hello")
        print("data out", lines(t.recv(0.05, sp)))
        ack += 5
        t.send(sp, 80 + v6, A, seq, ack, **k)
        print("pure ack of ours is", end=" ")
        t.send(sp, 80 + v6, A | P, seq, ack, data=b"a" * 10, **k)
        seq += 10
        print(lines(t.recv(0.06, sp)), "options %02x" % full(c)["options"])
        t.send(sp, 80 + v6, A | P, seq, ack, data=b"b" * 10, tos=ECT0, **k)
        seq += 10
        print("after ECT0 data", lines(t.recv(0.06, sp)), "options %02x" % full(c)["options"])
        n0 = nstat()
        t.send(sp, 80 + v6, A | P, seq, ack, data=b"c" * 10, tos=CE, **k)
        seq += 10
        print("after CE data", lines(t.recv(0.06, sp)), full(c), ndiff(n0, nstat(), ("TcpExt", "IpExt")))
        t.send(sp, 80 + v6, A | P, seq, ack, data=b"d" * 10, tos=ECT0, **k)
        seq += 10
        print("next", lines(t.recv(0.06, sp)))
        c.send(b"world")
        print("our data while in ECE", lines(t.recv(0.05, sp)))
        ack += 5
        t.send(sp, 80 + v6, A, seq, ack, **k)
        t.send(sp, 80 + v6, A | C, seq, ack, **k)
        print("CWR without data", lines(t.recv(0.06, sp)))
        t.send(sp, 80 + v6, A | P, seq, ack, data=b"e" * 10, tos=ECT0, **k)
        seq += 10
        print(" then data", lines(t.recv(0.06, sp)))
        t.send(sp, 80 + v6, A | P | C, seq, ack, data=b"f" * 10, tos=ECT0, **k)
        seq += 10
        print("CWR with data", lines(t.recv(0.06, sp)))
        t.send(sp, 80 + v6, A | P, seq, ack, data=b"g" * 10, tos=ECT0, **k)
        seq += 10
        print(" then data", lines(t.recv(0.06, sp)))
        t.send(sp, 80 + v6, A | P | C, seq, ack, data=b"h" * 10, tos=CE, **k)
        seq += 10
        print("CWR and CE at once", lines(t.recv(0.06, sp)))
        t.send(sp, 80 + v6, A | P | C, seq, ack, data=b"h" * 10, tos=ECT0, **k)
        seq += 10
        t.recv(0.06, sp)
        # ECE on an ACK
        c.send(b"x" * 1460 * 4)
        ps = t.recv(0.05, sp)
        print("4 segments", lines(ps))
        ack += 1460
        n0 = nstat()
        b = c.getsockopt(IPPROTO_TCP, TCP_INFO, 250)
        print("cwnd", struct.unpack_from("I", b, 80), "ca", b[1])
        t.send(sp, 80 + v6, A | EE, seq, ack, **k)
        t.recv(0.02)
        b = c.getsockopt(IPPROTO_TCP, TCP_INFO, 250)
        print("after ECE: cwnd", struct.unpack_from("I", b, 80), "ssthresh", struct.unpack_from("I", b, 76), "ca", b[1], "delivered", struct.unpack_from("II", b, 192), ndiff(n0, nstat(), ("TcpExt", "IpExt")))
        c.send(b"y" * 1460)
        print("new data", lines(t.recv(0.05, sp)))
        c.send(b"y" * 1460)
        print("new data", lines(t.recv(0.05, sp)))
        ack += 1460 * 2
        t.send(sp, 80 + v6, A | EE, seq, ack, **k)
        print(lines(t.recv(0.05, sp)))
        b = c.getsockopt(IPPROTO_TCP, TCP_INFO, 250)
        print("second ECE in the window: cwnd", struct.unpack_from("I", b, 80), "ca", b[1], ndiff(n0, nstat(), ("TcpExt", "IpExt")))
        ack += 1460 * 3
        t.send(sp, 80 + v6, A, seq, ack, **k)
        t.recv(0.02)
        b = c.getsockopt(IPPROTO_TCP, TCP_INFO, 250)
        print("all acked: cwnd", struct.unpack_from("I", b, 80), "ca", b[1])
        c.send(b"z" * 1460)
        print("new data", lines(t.recv(0.05, sp)))
        print("retransmission", lines(t.recv(0.4, sp)))
        c.close()
        print("FIN", lines(t.recv(0.02, sp)))


def t_not_ecn():
    "a connection without ECN ignores all of it"
    t = Tun()
    L = lsock(80, 50)
    p = est(t, 80, 3000, False, S, opts=MSS(1460))
    c = child(L)
    n0 = nstat()
    t.send(3000, 80, A | P, 1001, p["seq"] + 1, data=b"x", tos=CE)
    print(lines(t.recv(0.06, 3000)), full(c), ndiff(n0, nstat(), ("TcpExt", "IpExt")))
    c.send(b"abc")
    print(lines(t.recv(0.06, 3000)))


def t_syn_ack_again():
    "the SYN-ACK sent again; ACKs of the request; the first segment with CE; data with the final ACK"
    t = Tun()
    L = lsock(80, 50)
    t.send(3000, 80, S | EE | C, 1000, opts=MSS(1460))
    print([(p["fl"], p["tos"]) for p in t.recv(3.3, 3000)])
    t.send(3001, 80, S | EE | C, 1000, opts=MSS(1460))
    p = t.one(0.2, 3001)
    t.send(3001, 80, S, 1000, opts=MSS(1460))
    print("repeated SYN without ECN", line(t.one(0.2, 3001)))
    t.send(3001, 80, A | P, 1001, p["seq"] + 1, data=b"x", tos=CE)
    print("final ACK with CE data", lines(t.recv(0.06, 3001)))
    c = child(L)
    print(full(c))
    for nm, d in (("reflect", 1), ("no reflect", 0)):
        sysw("ipv4/tcp_reflect_tos", d)
        t.send(3002 + d, 80, S | EE | C, 1000, opts=MSS(1460), tos=0x28)
        p = t.one(0.2, 3002 + d)
        print(nm, p["fl"], hex(p["tos"]))
    L.setsockopt(IPPROTO_IP, IP_TOS, 0x28)
    t.send(3010, 80, S | EE | C, 1000, opts=MSS(1460))
    p = t.one(0.2, 3010)
    print("IP_TOS", p["fl"], hex(p["tos"]))
    t.send(3010, 80, A, 1001, p["seq"] + 1)
    t.recv(0.02)
    c = child(L)
    c.send(b"x")
    p = t.one(0.2, 3010)
    print("IP_TOS data", p["fl"], hex(p["tos"]))


def t_cookie():
    "ECN by cookie"
    t = Tun()
    sysw("ipv4/tcp_syncookies", 2)
    for v6 in (False, True):
        L = lsock(80 + v6, 50, "::" if v6 else "", fam(v6))
        for v in (0, 1, 2):
            sysw("ipv4/tcp_ecn", v)
            for i, o in enumerate((DO, MSS(1460))):
                sp = 4000 + 10 * v + i + 5 * v6
                p = est(t, 80 + v6, sp, v6, opts=o)
                c = child(L)
                c.send(b"x")
                print("v6" if v6 else "v4", "ecn", v, line(p), "options %02x" % full(c)["options"], lines(t.recv(0.05, sp)))
        # turned off in between
        sysw("ipv4/tcp_ecn", 2)
        sp = 4100 + v6
        t.send(sp, 80 + v6, S | EE | C, 1000, opts=DO, **kw(v6))
        p = t.one(0.2, sp)
        sysw("ipv4/tcp_ecn", 0)
        n0 = nstat()
        t.send(sp, 80 + v6, A, 1001, p["seq"] + 1, opts=TS(1001, opt(p, "TS")[1]), **kw(v6))
        print("off in between", show(t.recv(0.05, sp)), ndiff(n0, nstat()))
        c = child(L)
        print("options %02x" % full(c)["options"])


def t_client():
    "the active side by sysctl and answer"
    t = Tun()
    for v6 in (False, True):
        print("--- v6" if v6 else "--- v4")
        to = ("2001:db8::2" if v6 else "192.0.2.2", 9000)
        for v in (0, 1, 2):
            sysw("ipv4/tcp_ecn", v)
            for nm, fl, tos in (("SA", S | A, 0), ("SAE", S | A | EE, 0), ("SAE ECT0", S | A | EE, 2), ("SAE CE", S | A | EE, 3), ("SAEC", S | A | EE | C, 0), ("SAC", S | A | C, 0)):
                c = socket(fam(v6), SOCK_STREAM)
                c.setblocking(False)
                try:
                    c.connect(to)
                except BlockingIOError:
                    pass
                p = t.one(0.2)
                sp = p["sport"]
                t.send(9000, sp, fl, 5000, p["seq"] + 1, opts=MSS(1460), tos=tos, **kw(v6))
                r = t.recv(0.03)
                c.send(b"abc")
                d = t.recv(0.03)
                print("ecn", v, line(p), nm, lines(r), lines(d), "options %02x" % full(c)["options"])
                t.send(9000, sp, R, 5001, **kw(v6))
                c.close()
        sysw("ipv4/tcp_ecn", 1)
        for fb in (1, 0):
            sysw("ipv4/tcp_ecn_fallback", fb)
            c = socket(fam(v6), SOCK_STREAM)
            c.setblocking(False)
            try:
                c.connect(to)
            except BlockingIOError:
                pass
            print("fallback", fb, [(p["fl"], p["tos"]) for p in t.recv(3.4)])
            c.close()


main(globals())
