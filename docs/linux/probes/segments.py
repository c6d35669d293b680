# segments on an established connection
from harness import *
from syn_ack_and_queues import hs, DO


def t_segments():
    t = Tun()
    L = lsock(80, 50)

    def est(sp):
        p = hs(t, 80, sp)
        time.sleep(0.01)
        a, _ = L.accept()
        return a, p["seq"] + 1, opt(p, "TS")[1]

    def ask(nm, sp, *a, **k):
        n0 = nstat()
        t0 = time.time()
        t.send(sp, 80, *a, **k)
        r = t.recv(0.1, sp)
        print(nm, "->", [(x["fl"], x["ack"] - 1001, "at once" if x["t"] - t0 < 0.02 else "late") for x in r], ndiff(n0, nstat()))

    a, n, e = est(1)
    T = lambda v=100000: TS(v, e)
    for i in range(2):
        ask("ACK of unsent data", 1, A, 1001, n + 100, opts=T())
    for i in range(2):
        ask("data beyond the window", 1, A | P, 1001 + 1000000, n, opts=T(), data=b"hello")
    for i in range(2):
        ask("ACK beyond the window", 1, A, 1001 + 1000000, n, opts=T())
    ask("data", 1, A | P, 1001, n, opts=T(), data=b"hello")
    ask("bare ACK", 1, A, 1006, n, opts=T())
    for i in range(2):
        ask("old timestamp, data", 1, A | P, 1006, n, opts=T(50000), data=b"again")
    ask("timestamp 100 back, bare ACK", 1, A, 1006, n, opts=T(99900))
    ask("timestamp 100 back, bare ACK under rcv_nxt", 1, A, 1003, n, opts=T(99900))
    time.sleep(0.6)
    for i in range(2):
        ask("timestamp 50000 back, bare ACK", 1, A, 1006, n, opts=T(50000))
    a, n, e = est(2)
    for i in range(18):
        ask("data %d" % (i + 1), 2, A | P, 1001 + 5 * i, n, opts=TS(1001, e), data=b"hello")
    time.sleep(0.4)
    ask("data after a silence", 2, A | P, 1001 + 90, n, opts=TS(1001, e), data=b"hello")
    a.send(b"world")
    t.recv(0.05, 2)
    ask("ACK of what we sent", 2, A, 1001 + 95, n + 5, opts=TS(1002, e))


if __name__ == "__main__":
    main(globals())
