# the active open, and how connections end
from harness import *
from syn_ack_and_queues import hs, DO


def go(t, v6=0, port=9):
    c = socket(AF_INET6 if v6 else AF_INET)
    c.setblocking(0)
    E(c.connect, ("2001:db8::2" if v6 else "192.0.2.2", port))
    return c, t.one(0.2)


def t_syn():
    "the SYN of a connect"
    t = Tun()
    for v6 in (0, 1):
        c, p = go(t, v6)
        print("v6" if v6 else "v4", show(p), "ttl", p["ttl"], "df", p.get("df"), "flow", bool(p.get("flow")))


def t_linear():
    "when the SYN goes again: tcp_syn_linear_timeouts 4, then doubled"
    t = Tun()
    c, p = go(t)
    n0 = nstat()
    print("SYN again after", [round(x["t"] - p["t"]) for x in t.recv(13)], ndiff(n0, nstat()))


def t_retries():
    "how often at most: tcp_syn_retries=1 and tcp_syn_linear_timeouts 0, 1, 2"
    t = Tun()
    sysw("ipv4/tcp_syn_retries", 1)
    for n in (0, 1, 2):
        sysw("ipv4/tcp_syn_linear_timeouts", n)
        c, p = go(t)
        n0 = nstat()
        r = [x for x in t.recv(7)]
        print(
            "linear",
            n,
            "SYN again after",
            [round(x["t"] - p["t"]) for x in r],
            "SO_ERROR",
            errno.errorcode.get(c.getsockopt(SOL_SOCKET, SO_ERROR)),
            ndiff(n0, nstat()),
        )


def t_wrong_answer():
    "an answer with a wrong acknowledgment number"
    t = Tun()
    for nm, fl, off in (
        ("RST without ACK", R, None),
        ("RST+ACK ack=ISN", R | A, 0),
        ("RST+ACK ack=ISN+2", R | A, 2),
        ("SYN+ACK ack=ISN", S | A, 0),
        ("SYN+ACK ack=ISN+2", S | A, 2),
    ):
        c, p = go(t)
        n0 = nstat()
        t.send(9, p["sport"], fl, 5000, 0 if off is None else p["seq"] + off)
        r = t.recv(0.1)
        print(
            nm,
            "->",
            [(x["fl"], "after %d ms" % ((x["t"] - p["t"]) * 1000) if x["fl"] == "S" else "") for x in r],
            "state",
            info(c)["state"],
            ndiff(n0, nstat()),
        )
        c.close()
        t.drain()


def t_end():
    "counters at the ends of connections"
    t = Tun()
    L = lsock(80, 50)

    def est(sp):
        p = hs(t, 80, sp)
        time.sleep(0.01)
        a, _ = L.accept()
        return a, p

    def ts(p):
        return TS(1005, opt(p, "TS")[1])

    a, p = est(1)
    n0 = nstat()
    a.close()
    f = t.one(0.2, 1)
    t.send(1, 80, A, 1001, f["seq"] + 1, opts=ts(f))
    t.send(1, 80, F | A, 1001, f["seq"] + 1, opts=ts(f))
    t.recv(0.05)
    print("close, ACK, FIN", ndiff(n0, nstat()))
    a, p = est(2)
    n0 = nstat()
    a.close()
    f = t.one(0.2, 2)
    t.send(2, 80, A | P, 1001, f["seq"] + 1, opts=ts(f), data=b"late")
    print(
        "close, data that acknowledges the FIN ->",
        [(x["fl"], x["seq"] - f["seq"]) for x in t.recv(0.05, 2)],
        "rows",
        sum(":0050 020200C0:0002" in l for l in open("/proc/net/tcp")),
        ndiff(n0, nstat()),
    )
    a, p = est(3)
    t.send(3, 80, A | P, 1001, p["seq"] + 1, opts=ts(p), data=b"unread")
    t.recv(0.05)
    n0 = nstat()
    a.close()
    print("close with unread data ->", [x["fl"] for x in t.recv(0.05, 3)], ndiff(n0, nstat()))
    a, p = est(4)
    n0 = nstat()
    t.send(4, 80, S, 1001, opts=ts(p))
    print("SYN at rcv_nxt ->", [x["fl"] for x in t.recv(0.05, 4)], ndiff(n0, nstat()))
    a, p = est(5)
    n0 = nstat()
    t.send(5, 80, R, 1011)
    print("RST in the window ->", [x["fl"] for x in t.recv(0.05, 5)], ndiff(n0, nstat()))
    n0 = nstat()
    t.send(5, 80, R, 1001)
    print("exact RST ->", [x["fl"] for x in t.recv(0.05, 5)], ndiff(n0, nstat()), "send", E(a.send, b"x"), E(a.send, b"x"), "recv", E(a.recv, 1))
    a, p = est(6)
    t.send(6, 80, F | A, 1001, p["seq"] + 1, opts=ts(p))
    t.recv(0.05)
    t.send(6, 80, R, 1002)
    t.recv(0.02)
    print("RST after the peer's FIN: SO_ERROR", errno.errorcode.get(a.getsockopt(SOL_SOCKET, SO_ERROR)))


if __name__ == "__main__":
    main(globals())
