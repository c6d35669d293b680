from harness import *

TCP_SAVE_SYN, TCP_SAVED_SYN = 27, 28
DO = MSS(1460) + SACKOK + TS(1000) + WS(7)


def kw(v6):
    return dict(v6=True) if v6 else {}


def fam(v6):
    return AF_INET6 if v6 else AF_INET


def deferred(v, port):
    return lambda s: s.setsockopt(IPPROTO_TCP, TCP_DEFER_ACCEPT, v)


def watch(t, port, until, t0):
    "SYN-ACKs by time"
    out = []
    while time.time() - t0 < until:
        for p in t.recv(0.2, port):
            out.append((round(p["t"] - t0, 1), p["fl"]))
    return out


def t_defer_times():
    "SYN-ACKs after a bare ACK, by deferral and tcp_synack_retries"
    t = Tun()
    jobs = []
    for v6 in (False, True):
        for i, (retries, d, until) in enumerate(((5, 1, 5), (5, 3, 9), (5, 5, 9), (1, 7, 16), (0, 1, 5), (0, 3, 9), (2, 0, 9))):
            jobs.append((v6, 100 + i, retries, d, until))
    for v6, port, retries, d, until in jobs:
        if port == 100 and v6:
            print("--- v6")
        sysw("ipv4/tcp_synack_retries", retries)
        L = lsock(port, 5, "::" if v6 else "", fam(v6), pre=deferred(d, port))
        n0 = nstat()
        t0 = time.time()
        t.send(1000, port, S, 1000, opts=DO, **kw(v6))
        p = t.one(0.2, 1000)
        if d:
            t.send(1000, port, A, 1001, p["seq"] + 1, opts=TS(1001, opt(p, "TS")[1]), **kw(v6))
        w = watch(t, 1000, min(until, 9), t0)
        print("retries", retries, "defer", d, w, ndiff(n0, nstat()), "queue", q(L))
        L.close()


def t_defer_ack_in_period():
    "what completes a deferred request"
    t = Tun()
    for v6 in (False, True):
        L = lsock(80, 5, "::" if v6 else "", fam(v6), pre=deferred(5, 80))
        for i, (nm, fl, data) in enumerate((("ack", A, b""), ("psh", A | P, b""), ("urg", A | U, b""), ("data", A | P, b"x"), ("fin", A | F, b""), ("rst", R, b""), ("rst+ack", R | A, b""))):
            sp = 1000 + i
            t.send(sp, 80, S, 1000, opts=MSS(1460), **kw(v6))
            p = t.one(0.2, sp)
            n0 = nstat()
            t.send(sp, 80, fl, 1001, p["seq"] + 1, data=data, **kw(v6))
            print("v6" if v6 else "v4", nm, show(t.recv(0.1, sp)), ndiff(n0, nstat()), "queue", q(L))
        # twice the bare ACK, then a repeated SYN
        sp = 1100
        t.send(sp, 80, S, 1000, opts=MSS(1460), **kw(v6))
        p = t.one(0.2, sp)
        t.send(sp, 80, A, 1001, p["seq"] + 1, **kw(v6))
        t.recv(0.05)
        n0 = nstat()
        t.send(sp, 80, A, 1001, p["seq"] + 1, **kw(v6))
        print("second ack", show(t.recv(0.1, sp)), ndiff(n0, nstat()))
        n0 = nstat()
        t.send(sp, 80, S, 1000, opts=MSS(1460), **kw(v6))
        print("repeated SYN", show(t.recv(0.1, sp)), ndiff(n0, nstat()))
        c = []
        while True:
            try:
                a, _ = L.accept()
                c.append(a.getsockopt(IPPROTO_TCP, TCP_DEFER_ACCEPT))
            except BlockingIOError:
                break
        print("children read back", c)
        L.close()


def t_defer_cookie():
    "with cookies"
    t = Tun()
    sysw("ipv4/tcp_syncookies", 2)
    for v6 in (False, True):
        L = lsock(80 + v6, 5, "::" if v6 else "", fam(v6), pre=deferred(5, 80))
        t.send(1000 + v6, 80 + v6, S, 1000, opts=MSS(1460), **kw(v6))
        p = t.one(0.2, 1000 + v6)
        n0 = nstat()
        t.send(1000 + v6, 80 + v6, A, 1001, p["seq"] + 1, **kw(v6))
        print("cookie ack", show(t.recv(0.1, 1000 + v6)), ndiff(n0, nstat()), q(L))
        L.close()


def t_defer_full():
    "a bare ACK while the accept queue is full"
    t = Tun()
    for v6 in (False, True):
        L = lsock(80, 1, "::" if v6 else "", fam(v6), pre=deferred(5, 80))
        a, b, c = (1000, 1001, 1002) if not v6 else (1003, 1004, 1005)
        iss = {}

        def syn(sp):
            t.send(sp, 80, S, 1000, opts=MSS(1460), **kw(v6))
            iss[sp] = t.one(0.2, sp)["seq"]

        def ack(sp, data=b""):
            n0 = nstat()
            t.send(sp, 80, A, 1001, iss[sp] + 1, data=data, **kw(v6))
            return show(t.recv(0.1, sp)), ndiff(n0, nstat()), q(L)

        syn(a)
        syn(b)
        print("data", ack(a, b"x"))
        syn(c)
        print("data", ack(b, b"x"))
        print("bare ack, full", ack(c))
        print("data, full", ack(c, b"y"))
        L.close()


def t_saved_syn():
    "TCP_SAVED_SYN by value, family, cookie; buffer sizes; who may read"
    t = Tun()
    sp = 1000
    for v6 in (False, True):
        for val in (0, 1, 2, 3, -1):
            sp += 1
            L = lsock(80, 5, "::" if v6 else "", fam(v6))
            print("v6" if v6 else "v4", "set", val, E(L.setsockopt, IPPROTO_TCP, TCP_SAVE_SYN, val), "get", L.getsockopt(IPPROTO_TCP, TCP_SAVE_SYN))
            t.send(sp, 80, S, 1000, opts=DO, data=b"hello", tos=0x28, ttl=33, **kw(v6))
            sent = t.last
            p = t.one(0.2, sp)
            if not p:
                L.close()
                continue
            t.send(sp, 80, A, 1001, p["seq"] + 1, opts=TS(1001, opt(p, "TS")[1]), **kw(v6))
            t.recv(0.05)
            c, _ = L.accept()
            print("  listener reads", E(L.getsockopt, IPPROTO_TCP, TCP_SAVED_SYN, 200))
            print("  child SAVE_SYN", c.getsockopt(IPPROTO_TCP, TCP_SAVE_SYN))
            for n in (0, 10, 200, 200):
                r = E(c.getsockopt, IPPROTO_TCP, TCP_SAVED_SYN, n)
                print("  read", n, r if not isinstance(r, bytes) else (len(r), r.hex(), "=sent[:n]" if sent.startswith(r) else "OTHER"))
            print("  sent", sent.hex())
            c.close()
            L.close()
            t.recv(0.05)


def t_saved_syn_more():
    "set on the child; on a client; changed between SYN and ACK; cookies; dual listener; a repeated SYN"
    t = Tun()
    L = lsock(80, 5)

    def run1(sp, between=None, v6=False):
        t.send(sp, 80, S, 1000, opts=MSS(1460), **kw(v6))
        p = t.one(0.2, sp)
        if between:
            between()
        t.send(sp, 80, A, 1001, p["seq"] + 1, **kw(v6))
        t.recv(0.05)
        c, _ = L.accept()
        return c

    def rd(c, n=200):
        r = E(c.getsockopt, IPPROTO_TCP, TCP_SAVED_SYN, n)
        return (len(r), r.hex()) if isinstance(r, bytes) else r

    c = run1(1000, lambda: L.setsockopt(IPPROTO_TCP, TCP_SAVE_SYN, 1))
    print("set between SYN and ACK", rd(c), "child value", c.getsockopt(IPPROTO_TCP, TCP_SAVE_SYN))
    c = run1(1001, lambda: L.setsockopt(IPPROTO_TCP, TCP_SAVE_SYN, 0))
    print("cleared between", rd(c), "child value", c.getsockopt(IPPROTO_TCP, TCP_SAVE_SYN))
    L.setsockopt(IPPROTO_TCP, TCP_SAVE_SYN, 1)
    c = run1(1002)
    print("set on the child", E(c.setsockopt, IPPROTO_TCP, TCP_SAVE_SYN, 0), rd(c))
    c = run1(1003)
    print("child 0 then 1", E(c.setsockopt, IPPROTO_TCP, TCP_SAVE_SYN, 0), E(c.setsockopt, IPPROTO_TCP, TCP_SAVE_SYN, 1), rd(c))
    sysw("ipv4/tcp_syncookies", 2)
    c = run1(1004)
    print("cookie", rd(c))
    sysw("ipv4/tcp_syncookies", 1)
    c = run1(1005)
    print("short reads", rd(c, 1), rd(c, 43), rd(c, 44), rd(c))
    x = socket(AF_INET, SOCK_STREAM)
    print("fresh", rd(x))
    # two read after a shutdown and close by peer
    c = run1(1006)
    t.send(1006, 80, R, 1001)
    print("after RST", rd(c), E(c.recv, 1), rd(c))
    c = run1(1009)
    print("a value read as a struct of one int after a set by the child", E(c.setsockopt, IPPROTO_TCP, TCP_SAVED_SYN, 1), E(L.setsockopt, IPPROTO_TCP, TCP_SAVED_SYN, 1))
    L.close()
    for v6 in (False, True):
        for val in (1, 2):
            M = lsock(81, 5, "::" if v6 else "", fam(v6))
            M.setsockopt(IPPROTO_TCP, TCP_SAVE_SYN, val)
            x = socket(fam(v6), SOCK_STREAM)
            x.connect(("::1" if v6 else "127.0.0.1", 81))
            c, _ = M.accept()
            print("over lo, value", val, rd(c))
            M.close()
    L = lsock(80, 5, "::", AF_INET6)
    L.setsockopt(IPPROTO_TCP, TCP_SAVE_SYN, 1)
    c = run1(1007)
    print("dual, v4 peer", rd(c))
    L.setsockopt(IPPROTO_TCP, TCP_SAVE_SYN, 2)
    c = run1(1008)
    print("dual, v4 peer, 2", rd(c))


main(globals())
