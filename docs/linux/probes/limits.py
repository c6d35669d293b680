from harness import *

DO = MSS(1460) + SACKOK + TS(1000) + WS(7)


def kw(v6):
    return dict(v6=True) if v6 else {}


def fam(v6):
    return AF_INET6 if v6 else AF_INET


def any_(v6):
    return "::" if v6 else ""


def est(t, port, sp, v6, opts=MSS(1460), seq=1000, **k):
    t.send(sp, port, S, seq, opts=opts, **kw(v6), **k)
    p = t.one(0.2, sp)
    if p is None:
        return None
    ts = opt(p, "TS")
    t.send(sp, port, A, seq + 1, p["seq"] + 1, opts=TS(1001, ts[1]) if ts else b"", **kw(v6), **k)
    t.recv(0.02)
    return p


def ti(s):
    return s.getsockopt(IPPROTO_TCP, TCP_INFO, 248)


def t_peer_mss():
    "peer MSS: TCP_MAXSEG and snd_mss of the child by family, timestamps and tcp_min_snd_mss"
    t = Tun()
    sp = 1000
    for v6 in (False, True):
        L = lsock(80 + v6, 50, any_(v6), fam(v6))
        for lim in (48, 1000):
            sysw("ipv4/tcp_min_snd_mss", lim)
            for m in (None, 0, 1, 20, 47, 48, 49, 88, 535, 536, 1220, 1460, 65535):
                row = []
                for ts in (0, 1):
                    sp += 1
                    o = (MSS(m) if m is not None else b"") + (TS(1000) if ts else b"")
                    p = est(t, 80 + v6, sp, v6, o)
                    c, _ = L.accept()
                    b = ti(c)
                    row.append((c.getsockopt(6, TCP_MAXSEG), struct.unpack_from("II", b, 16), struct.unpack_from("I", b, 92)[0] if 0 else None))
                    t.send(sp, 80 + v6, R, 1001, **kw(v6))
                    c.close()
                print("v6" if v6 else "v4", "min", lim, "peer", m, row)
        sysw("ipv4/tcp_min_snd_mss", 48)
        for w in (0, 1, 13, 14, 15, 255):
            sp += 1
            p = est(t, 80 + v6, sp, v6, MSS(1460) + struct.pack("!BBBB", 3, 3, w, 1))
            c, _ = L.accept()
            print("  wscale", w, "child snd/rcv", ti(c)[6] & 15, ti(c)[6] >> 4, "in SYN-ACK", opt(p, "WS"))
            t.send(sp, 80 + v6, R, 1001, **kw(v6))
            c.close()


def t_min_ttl():
    "IP_MINTTL and IPV6_MINHOPCOUNT: SYN, ACK, data, RST; on the child; counters"
    t = Tun()
    for v6 in (False, True):
        L = lsock(80 + v6, 50, any_(v6), fam(v6))
        if v6:
            L.setsockopt(IPPROTO_IPV6, 73, 100)
        else:
            L.setsockopt(IPPROTO_IP, 21, 100)
        port, k = 80 + v6, kw(v6)
        n0 = nstat()
        t.send(1000, port, S, 1000, opts=MSS(1460), ttl=99, **k)
        print("v6" if v6 else "v4", "SYN 99", show(t.recv(0.05, 1000)), ndiff(n0, nstat(), ("Tcp", "Ip", "Icmp")))
        n0 = nstat()
        t.send(1000, port, A, 1000, 5, ttl=99, **k)
        print("stray ACK 99", show(t.recv(0.05, 1000)), ndiff(n0, nstat()))
        t.send(1000, port, S, 1000, opts=MSS(1460), ttl=100, **k)
        p = t.one(0.1, 1000)
        print("SYN 100", p["fl"])
        n0 = nstat()
        t.send(1000, port, A, 1001, p["seq"] + 1, ttl=99, **k)
        print("ACK 99", show(t.recv(0.05, 1000)), ndiff(n0, nstat()), q(L))
        t.send(1000, port, A, 1001, p["seq"] + 1, ttl=100, **k)
        t.recv(0.02)
        c, _ = L.accept()
        print("child", c.getsockopt(*((IPPROTO_IPV6, 73) if v6 else (IPPROTO_IP, 21))))
        n0 = nstat()
        t.send(1000, port, A | P, 1001, p["seq"] + 1, ttl=99, data=b"x", **k)
        print("data 99", show(t.recv(0.05, 1000)), ndiff(n0, nstat()))
        n0 = nstat()
        t.send(1000, port, R, 1001, ttl=99, **k)
        print("RST 99", info(c)["state"], ndiff(n0, nstat()))
        c.setsockopt(*((IPPROTO_IPV6, 73, 0) if v6 else (IPPROTO_IP, 21, 0)))
        t.send(1000, port, A | P, 1001, p["seq"] + 1, ttl=1, data=b"x", **k)
        print("child with 0, data 1", show(t.recv(0.05, 1000)))
    # a dual listener
    L = lsock(90, 50, "::", AF_INET6)
    L.setsockopt(IPPROTO_IPV6, 73, 100)
    t.send(2000, 90, S, 1000, opts=MSS(1460), ttl=64)
    print("dual, MINHOPCOUNT 100, v4 ttl 64", show(t.recv(0.05, 2000)))
    L.setsockopt(IPPROTO_IP, 21, 100)
    t.send(2001, 90, S, 1000, opts=MSS(1460), ttl=64)
    print("dual, MINTTL 100, v4 ttl 64", show(t.recv(0.05, 2001)))
    t.send(2002, 90, S, 1000, opts=MSS(1460), ttl=64, v6=True)
    print("dual, v6 hop limit 64", show(t.recv(0.05, 2002)))


def t_keep():
    "TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT"
    t = Tun()
    for v6 in (False, True):
        L = lsock(80 + v6, 50, any_(v6), fam(v6))
        for o, v in ((TCP_KEEPIDLE, 1), (TCP_KEEPINTVL, 1), (TCP_KEEPCNT, 2)):
            L.setsockopt(6, o, v)
        L.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
        p = est(t, 80 + v6, 1000, v6)
        t0 = time.time()
        n0 = nstat()
        c, _ = L.accept()
        r = t.recv(3.6, 1000)
        print([(x["fl"], round(x["t"] - t0, 1), (x["seq"] - p["seq"]) & 0xFFFFFFFF) for x in r], E(c.recv, 1), ndiff(n0, nstat()))
        # answered, then silence
        p = est(t, 80 + v6, 1001, v6)
        t0 = time.time()
        c, _ = L.accept()
        out = []
        while time.time() < t0 + 6:
            x = t.one(0.5, 1001)
            if x:
                out.append((x["fl"], round(x["t"] - t0, 1)))
                if len(out) == 2:
                    t.send(1001, 80 + v6, A, 1001, p["seq"] + 1, **kw(v6))
        print("second answered", out, E(c.recv, 1))
        # idle changed later
        p = est(t, 80 + v6, 1002, v6)
        t0 = time.time()
        c, _ = L.accept()
        c.setsockopt(6, TCP_KEEPIDLE, 3)
        r = t.recv(3.3, 1002)
        print("idle 3 set later", [(x["fl"], round(x["t"] - t0, 1)) for x in r])


def t_user_timeout():
    "TCP_USER_TIMEOUT: data unacknowledged, zero window, keepalive, SYN"
    t = Tun()
    for v6 in (False, True):
        L = lsock(80 + v6, 50, any_(v6), fam(v6))
        L.setsockopt(6, TCP_USER_TIMEOUT, 1500)
        p = est(t, 80 + v6, 1000, v6)
        c, _ = L.accept()
        print("child", c.getsockopt(6, TCP_USER_TIMEOUT))
        n0 = nstat()
        t0 = time.time()
        c.send(b"x" * 10)
        out = []
        err = None
        while time.time() < t0 + 5:
            out += [(x["fl"], round(x["t"] - t0, 2)) for x in t.recv(0.05, 1000)]
            e = c.getsockopt(SOL_SOCKET, SO_ERROR)
            if e:
                err = (errno.errorcode[e], round(time.time() - t0, 2))
                break
        print("data", out, err, ndiff(n0, nstat()))
        # zero window
        t.send(1001, 80 + v6, S, 1000, opts=MSS(1460), **kw(v6))
        p = t.one(0.2, 1001)
        t.send(1001, 80 + v6, A, 1001, p["seq"] + 1, win=0, **kw(v6))
        t.recv(0.02)
        c, _ = L.accept()
        t0 = time.time()
        n0 = nstat()
        c.send(b"x" * 10)
        out, err = [], None
        while time.time() < t0 + 6:
            for x in t.recv(0.05, 1001):
                out.append((x["fl"], round(x["t"] - t0, 2)))
                t.send(1001, 80 + v6, A, 1001, p["seq"] + 1, win=0, **kw(v6))
            e = c.getsockopt(SOL_SOCKET, SO_ERROR)
            if e:
                err = (errno.errorcode[e], round(time.time() - t0, 2))
                break
        print("zero window, answered", out, err, ndiff(n0, nstat()))
        # keepalive
        for o, vv in ((TCP_KEEPIDLE, 1), (TCP_KEEPINTVL, 1), (TCP_KEEPCNT, 9)):
            L.setsockopt(6, o, vv)
        L.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
        p = est(t, 80 + v6, 1002, v6)
        c, _ = L.accept()
        t0 = time.time()
        out, err = [], None
        while time.time() < t0 + 6:
            out += [(x["fl"], round(x["t"] - t0, 2)) for x in t.recv(0.05, 1002)]
            e = c.getsockopt(SOL_SOCKET, SO_ERROR)
            if e:
                err = (errno.errorcode[e], round(time.time() - t0, 2))
                break
        print("keepalive", out, err)
        # SYN
        c = socket(fam(v6), SOCK_STREAM)
        c.setblocking(False)
        c.setsockopt(6, TCP_USER_TIMEOUT, 2500)
        t0 = time.time()
        try:
            c.connect(("2001:db8::9" if v6 else "192.0.2.9", 5))
        except BlockingIOError:
            pass
        out, err = [], None
        while time.time() < t0 + 6:
            out += [(x["fl"], round(x["t"] - t0, 2)) for x in t.recv(0.05) if x["dport"] == 5]
            e = c.getsockopt(SOL_SOCKET, SO_ERROR)
            if e:
                err = (errno.errorcode[e], round(time.time() - t0, 2))
                break
        print("SYN", out, err)


def t_linger2():
    "TCP_LINGER2: how long an orphan waits in FIN_WAIT2"
    t = Tun()
    for v6 in (False, True):
        for val in (1, 2, -1, 0, 61, 121):
            L = lsock(80 + v6, 50, any_(v6), fam(v6))
            L.setsockopt(6, TCP_LINGER2, val)
            sp = 1000 + (val % 500)
            p = est(t, 80 + v6, sp, v6)
            c, _ = L.accept()
            got = c.getsockopt(6, TCP_LINGER2)
            n0 = nstat()
            c.close()
            f = t.one(0.1, sp)
            t.send(sp, 80 + v6, A, 1001, f["seq"] + 1, **kw(v6))
            t.recv(0.02)
            t0 = time.time()
            states = []
            rows = lambda: sh("ss -Htan sport = %d" % (80 + v6)).split("\n")
            first = [r.split()[0] for r in rows() if r and "LISTEN" not in r]
            tm = [r for r in sh("ss -Htano sport = %d" % (80 + v6)).split("\n") if r and "LISTEN" not in r]
            print("v6" if v6 else "v4", val, "reads", got, "after ack", first, [x.split("timer:")[1].split(",")[1] for x in tm if "timer:" in x], end=" ")
            if 0 < val < 5:
                while any(r and "LISTEN" not in r for r in rows()) and time.time() < t0 + 5:
                    time.sleep(0.05)
                print("gone after", round(time.time() - t0, 1), end=" ")
            print(ndiff(n0, nstat()), show(t.recv(0.02, sp)))
            t.send(sp, 80 + v6, R, 1001, **kw(v6))
            L.close()


def t_window_clamp():
    "TCP_WINDOW_CLAMP on the listener: SYN-ACK window and scale, what the child offers and reads"
    t = Tun()
    sp = 1000
    for v6 in (False, True):
        for val in (0, 1, 1152, 4000, 20000, 65535, 65536, 100000, 10**6, 10**7):
            sp += 1
            L = lsock(80 + v6, 50, any_(v6), fam(v6))
            r = E(L.setsockopt, 6, TCP_WINDOW_CLAMP, val)
            g = L.getsockopt(6, TCP_WINDOW_CLAMP)
            row = []
            for o in (MSS(1460), MSS(1460) + WS(7), DO):
                sp += 1
                p = est(t, 80 + v6, sp, v6, o)
                c, _ = L.accept()
                c.setblocking(False)
                ts = opt(p, "TS")
                t.send(sp, 80 + v6, A | P, 1001, p["seq"] + 1, data=b"x", opts=TS(1002, ts[1]) if ts else b"", **kw(v6))
                a = t.one(0.1, sp)
                w = opt(p, "WS")
                row.append((p["win"], w and w[1], "then", a and a["win"] << (w[1] if w else 0), "reads", c.getsockopt(6, TCP_WINDOW_CLAMP)))
                t.send(sp, 80 + v6, R, 1002, **kw(v6))
                c.close()
            print("v6" if v6 else "v4", "set", val, r, "reads", g, row)
            L.close()


def t_window_clamp_live():
    "TCP_WINDOW_CLAMP on a connection"
    t = Tun()
    for v6 in (False, True):
        L = lsock(80 + v6, 50, any_(v6), fam(v6))
        p = est(t, 80 + v6, 1000, v6, MSS(1460))
        c, _ = L.accept()
        seq = 1001
        for val in (20000, 1000, 5000, 100000, 0, -1):
            r = E(c.setsockopt, 6, TCP_WINDOW_CLAMP, val)
            out = []
            for i in range(4):
                t.send(1000, 80 + v6, A | P, seq, p["seq"] + 1, data=b"x" * 1000, **kw(v6))
                seq += 1000
                a = t.recv(0.06, 1000)
                out.append([x["win"] for x in a])
            c.recv(100000)
            out.append([x["win"] for x in t.recv(0.03, 1000)])
            print("set", val, r, "reads", c.getsockopt(6, TCP_WINDOW_CLAMP), out)


def t_rcvbuf():
    "SO_RCVBUF on the listener: SYN-ACK window and scale"
    t = Tun()
    sp = 1000
    for v6 in (False, True):
        for val in (0, 1000, 2000, 4096, 10000, 65535, 200000, 1000000):
            L = lsock(80 + v6, 50, any_(v6), fam(v6))
            L.setsockopt(SOL_SOCKET, SO_RCVBUF, val)
            row = []
            for o in (MSS(1460), MSS(1460) + WS(7), DO):
                sp += 1
                t.send(sp, 80 + v6, S, 1000, opts=o, **kw(v6))
                p = t.one(0.1, sp)
                w = opt(p, "WS")
                row.append((p["win"], w and w[1]))
                t.send(sp, 80 + v6, R, 1001, **kw(v6))
            print("v6" if v6 else "v4", val, row)
            L.close()


def t_quickack():
    "TCP_QUICKACK: reading and effect"
    t = Tun()
    L = lsock(80, 50)
    for val in (None, 0, 1, 2):
        sp = 1000 + (val if val is not None else 9)
        p = est(t, 80, sp, False)
        c, _ = L.accept()
        if val is not None:
            c.setsockopt(6, TCP_QUICKACK, val)
        print(val, "reads", c.getsockopt(6, TCP_QUICKACK), end=" ")
        out = []
        seq = 1001
        for i in range(20):
            t.send(sp, 80, A | P, seq, p["seq"] + 1, data=b"x" * 10)
            seq += 10
            t0 = time.time()
            a = t.recv(0.055, sp, 1)
            out.append(round((a[0]["t"] - t0) * 1000) if a else None)
        print(out, "reads", c.getsockopt(6, TCP_QUICKACK))
        c.setsockopt(6, TCP_QUICKACK, 0)
        print("  now 0 reads", c.getsockopt(6, TCP_QUICKACK), end=" ")
        t.send(sp, 80, A | P, seq, p["seq"] + 1, data=b"x" * 10)
        seq += 10
        t0 = time.time()
        a = t.recv(0.01, sp, 1)
        print("at once", bool(a), end=" ")
        c.setsockopt(6, TCP_QUICKACK, 1)
        a = t.recv(0.01, sp, 1)
        print("set 1: ack now", bool(a), "reads", c.getsockopt(6, TCP_QUICKACK))


def t_notsent():
    "TCP_NOTSENT_LOWAT: poll's POLLOUT and what send takes"
    t = Tun()
    for v6 in (False, True):
        L = lsock(80 + v6, 50, any_(v6), fam(v6))
        p = est(t, 80 + v6, 1000, v6)
        c, _ = L.accept()
        c.setblocking(False)
        c.setsockopt(6, 25, 2000)
        pol = lambda: bool(select.select([], [c], [], 0)[1])
        print("fresh", pol())
        tot = 0
        row = []
        for i in range(30):
            n = E(c.send, b"x" * 1000)
            row.append((n, pol()))
            if n == "EAGAIN":
                break
        print(row)
        t.recv(0.02)
        t.send(1000, 80 + v6, A, 1001, p["seq"] + 1 + 5000, **kw(v6))
        t.recv(0.02)
        print("after some acked", pol(), E(c.send, b"x" * 100))
        print("reads", c.getsockopt(6, 25))


def t_rto_max():
    "TCP_RTO_MAX_MS: retransmission times of data"
    t = Tun()
    for v6 in (False, True):
        L = lsock(80 + v6, 50, any_(v6), fam(v6))
        L.setsockopt(6, 44, 1000)
        p = est(t, 80 + v6, 1000, v6)
        c, _ = L.accept()
        print("child reads", c.getsockopt(6, 44))
        t0 = time.time()
        c.send(b"x")
        print([round(x["t"] - t0, 1) for x in t.recv(6, 1000)])


main(globals())
