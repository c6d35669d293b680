"What a SO_REUSEPORT group's classic-BPF program sees, where it lives, and what joins and leaves."
from harness import *
from syn_ack_and_queues import hs
from groups_and_migration import cbpf, RP, grp

LDB, LDH, LDW, RET_A, RET_K = 0x30, 0x28, 0x20, 0x16, 0x06
MSS1460 = b"\x02\x04\x05\xb4"


def counts(G):
    return [q(g)[0] if g.fileno() >= 0 else None for g in G]


def spread(t, G, port, first, n=6, prog=None):
    "how n connections land, as differences"
    time.sleep(0.02)
    b = counts(G)
    for i in range(n):
        hs(t, port, first + i, opts=MSS1460)
    time.sleep(0.03)
    return [y - x for x, y in zip(b, counts(G))]


def t_view():
    t = Tun()
    port = 300
    k = 20000
    AD, NET, LL = 0xFFFFF000, 0xFFF00000, 0xFFE00000
    for name, prog in (
        ("ld [0] beyond the end of a SYN without data -> 0", [(LDW, 0, 0, 0), (RET_A, 0, 0, 0)]),
        ("ldb [0] & 0", [(LDB, 0, 0, 0), (RET_K, 0, 0, 3)]),
        ("len", [(0x80, 0, 0, 0), (RET_A, 0, 0, 0)]),
        ("net[0] >> 4 - 2", [(LDB, 0, 0, NET), (0x74, 0, 0, 4), (0x14, 0, 0, 2), (RET_A, 0, 0, 0)]),
        ("net[9] (protocol 6) - 4", [(LDB, 0, 0, NET + 9), (0x14, 0, 0, 4), (RET_A, 0, 0, 0)]),
        ("ll[0] >> 4 - 1", [(LDB, 0, 0, LL), (0x74, 0, 0, 4), (0x14, 0, 0, 1), (RET_A, 0, 0, 0)]),
        ("protocol == 0x800 ? 1 : 2", [(LDH, 0, 0, AD + 0), (0x15, 0, 1, 0x800), (RET_K, 0, 0, 1), (RET_K, 0, 0, 2)]),
        ("pkttype", [(LDH, 0, 0, AD + 4), (RET_A, 0, 0, 0)]),
        ("cpu (pinned 0) + 1", [(LDW, 0, 0, AD + 36), (0x04, 0, 0, 1), (RET_A, 0, 0, 0)]),
        ("ifindex - 1", [(LDW, 0, 0, AD + 8), (0x14, 0, 0, 1), (RET_A, 0, 0, 0)]),
        ("rxhash != 0 ? 1 : 2", [(LDW, 0, 0, AD + 32), (0x15, 1, 0, 0), (RET_K, 0, 0, 1), (RET_K, 0, 0, 2)]),
        ("division by X == 0", [(0x01, 0, 0, 0), (0x00, 0, 0, 8), (0x3C, 0, 0, 0), (RET_K, 0, 0, 3)]),
        ("payload offset", [(LDW, 0, 0, AD + 52), (RET_A, 0, 0, 0)]),
    ):
        port += 1
        os.sched_setaffinity(0, {0})
        G = grp(4, port)
        r = E(cbpf, G[0], prog)
        if r != "OK":
            print(name, "attach", r)
        else:
            print(name, spread(t, G, port, k, 12))
        k += 20
        for g in G:
            g.close()


def t_where():
    t = Tun()
    ret = lambda n: [(RET_K, 0, 0, n)]
    s = socket()
    RP(s)
    print("attach before bind", E(cbpf, s, ret(1)), "detach", E(s.setsockopt, SOL_SOCKET, 68, 0), "detach again", E(s.setsockopt, SOL_SOCKET, 68, 0))
    s = socket()
    RP(s)
    print("detach of a fresh REUSEPORT socket", E(s.setsockopt, SOL_SOCKET, 68, 0))
    s = socket()
    print("detach of a fresh plain socket", E(s.setsockopt, SOL_SOCKET, 68, 0))
    s = lsock(309, 5)
    print("plain listener: attach", E(cbpf, s, ret(0)), "detach", E(s.setsockopt, SOL_SOCKET, 68, 0))
    s.setsockopt(SOL_SOCKET, 15, 1)
    print("REUSEPORT set after listen: attach", E(cbpf, s, ret(0)), "detach", E(s.setsockopt, SOL_SOCKET, 68, 0))
    # first has its program before listen
    def member(port, prog=None, bl=100):
        s = socket()
        RP(s)
        s.bind(("", port))
        if prog:
            print("  attach before listen", E(cbpf, s, prog))
        r = clisten(s.fileno(), bl)
        if r != "OK":
            print("  listen", r, "detach", E(s.setsockopt, SOL_SOCKET, 68, 0), "listen again", clisten(s.fileno(), bl))
        s.setblocking(0)
        return s
    G = [member(310, ret(1)), member(310), member(310)]
    print("program attached to the first before its listen", spread(t, G, 310, 30000, 8))
    G = [member(311), member(311, ret(2)), member(311)]
    print("attached to the second before its listen, the first had none", spread(t, G, 311, 30100, 12))
    G = [member(312, ret(0)), member(312, ret(2)), member(312)]
    print("attached to the first and the second before their listens", spread(t, G, 312, 30200, 8))
    s = socket()
    RP(s)
    cbpf(s, ret(1))
    s.setsockopt(SOL_SOCKET, 68, 0)
    print("attached and detached, then bind to the group's port", E(s.bind, ("", 312)), "to a free port", E(s.bind, ("", 316)), "listen", clisten(s.fileno(), 5))
    print("a member without a program joins that one", q(grp(1, 316)[0]))
    s, o = socket(), socket()
    RP(s), RP(o)
    o.bind(("", 317))
    s.bind(("", 317))
    cbpf(s, ret(1))
    print("two bound, then a program on the second: listen of the first", clisten(o.fileno(), 5), "of the second", clisten(s.fileno(), 5))
    s, o = socket(), socket()
    RP(s), RP(o)
    o.bind(("", 318))
    s.bind(("", 318))
    cbpf(s, ret(1))
    print("the same, the second listens first", clisten(s.fileno(), 5), "then the first", clisten(o.fileno(), 5))
    s, o = grp(2, 319)
    s.shutdown(SHUT_RD)
    print("member shut down: attach", E(cbpf, s, ret(0)), "detach", E(s.setsockopt, SOL_SOCKET, 68, 0), "listens again", clisten(s.fileno(), 5))
    G = grp(3, 313)
    cbpf(G[0], ret(0))
    cbpf(G[1], ret(2))
    print("attached twice: the later one", spread(t, G, 313, 30300, 8))
    G[0].close()
    print("order after the first of three left, ret 0:", end=" ")
    cbpf(G[1], ret(0))
    print(spread(t, G[1:], 313, 30400, 6))
    G[2].shutdown(SHUT_RD)
    print("the other two: shut one down, ret 0 and ret 1", end=" ")
    print(spread(t, G[1:2], 313, 30420, 4), end=" ")
    cbpf(G[1], ret(1))
    print(spread(t, G[1:2], 313, 30430, 4))
    clisten(G[2].fileno(), 50)
    print("listens again: ret 1", spread(t, G[1:], 313, 30440, 4))
    G[1].close()
    G[2].close()
    G = grp(2, 313)
    print("all gone, new group: program gone", spread(t, G, 313, 30500, 20))
    # REUSEPORT cleared on a member
    G = grp(2, 314)
    G[0].setsockopt(SOL_SOCKET, 15, 0)
    cbpf(G[1], ret(0))
    print("REUSEPORT cleared on member 0 after listen; ret 0", spread(t, G, 314, 30600, 4), "attach to it", E(cbpf, G[0], ret(1)))
    # wildcard and specific make two groups
    W = grp(2, 315)
    X = grp(2, 315, addr="192.0.2.1")
    cbpf(W[0], ret(1))
    print("wildcard group with ret 1; specific group hashes", spread(t, W + X, 315, 30700, 12))
    # bad programs
    for name, prog in (
        ("empty", []),
        ("no return", [(0x00, 0, 0, 1)]),
        ("jump beyond", [(0x05, 0, 0, 1), (RET_K, 0, 0, 0)]),
        ("conditional jump beyond", [(0x15, 3, 0, 1), (RET_K, 0, 0, 0)]),
        ("unknown code", [(0xFF, 0, 0, 0), (RET_K, 0, 0, 0)]),
        ("div by 0", [(0x34, 0, 0, 0), (RET_K, 0, 0, 0)]),
        ("mod by 0", [(0x94, 0, 0, 0), (RET_K, 0, 0, 0)]),
        ("shift 32", [(0x64, 0, 0, 32), (RET_K, 0, 0, 0)]),
        ("shift 31", [(0x64, 0, 0, 31), (RET_K, 0, 0, 0)]),
        ("mem 16", [(0x60, 0, 0, 16), (RET_K, 0, 0, 0)]),
        ("store 16", [(0x02, 0, 0, 16), (RET_K, 0, 0, 0)]),
        ("load of memory never stored", [(0x60, 0, 0, 3), (RET_K, 0, 0, 0)]),
        ("load of memory stored on one branch only", [(0x15, 1, 0, 7), (0x02, 0, 0, 3), (0x60, 0, 0, 3), (RET_K, 0, 0, 0)]),
        ("unknown ancillary", [(LDW, 0, 0, 0xFFFFF000 + 64), (RET_K, 0, 0, 0)]),
        ("known ancillary, byte load", [(LDB, 0, 0, 0xFFFFF000 + 36), (RET_K, 0, 0, 0)]),
        ("ret X", [(0x0E, 0, 0, 0)]),
        ("4096 instructions", [(0x00, 0, 0, 1)] * 4095 + [(RET_K, 0, 0, 0)]),
        ("4097 instructions", [(0x00, 0, 0, 1)] * 4096 + [(RET_K, 0, 0, 0)]),
        ("jt nonzero in ld", [(0x00, 7, 9, 1), (RET_K, 0, 0, 0)]),
        ("msh", [(0xB1, 0, 0, 0), (RET_K, 0, 0, 0)]),
    ):
        s = socket()
        RP(s)
        f = socket()
        print("program", name, ":", E(cbpf, s, prog), "as SO_ATTACH_FILTER", E(cbpf, f, prog, 26))
    for o in (51, 26):
        s = socket()
        RP(s)
        print("option", o, "length 15", E(s.setsockopt, SOL_SOCKET, o, b"\1" * 15), "17 NULs", E(s.setsockopt, SOL_SOCKET, o, b"\0" * 17), "length 4", E(s.setsockopt, SOL_SOCKET, o, 0))


def t_incoming_cpu():
    t = Tun()
    os.sched_setaffinity(0, {0})
    C = lambda s, n: s.setsockopt(SOL_SOCKET, 49, n)
    print("fresh SO_INCOMING_CPU", socket().getsockopt(SOL_SOCKET, 49))
    for i, cpus in enumerate(((None, 0), (0, None, 0), (1, None), (1, 1), (0, 1, 1, 1), (-1, 0), (None, 0, 0, 0))):
        port = 330 + i
        G = grp(len(cpus), port)
        for g, c in zip(G, cpus):
            if c is not None:
                C(g, c)
        print("members with cpu", cpus, "packets on cpu 0:", spread(t, G, port, 31000 + 100 * i, 20))
        for g in G:
            g.close()
    G = []
    for c in (1, 0):
        s = socket()
        RP(s)
        C(s, c)
        s.bind(("", 340))
        s.listen(100)
        s.setblocking(0)
        G.append(s)
    print("set before listen (1, 0)", spread(t, G, 340, 32000, 20))
    cbpf(G[0], [(RET_K, 0, 0, 0)])
    print("with a program that says 0", spread(t, G, 340, 32100, 6))
    cbpf(G[0], [(RET_K, 0, 0, 7)])
    print("with a program that says 7", spread(t, G, 340, 32200, 12))
    a, _ = G[1].accept() if q(G[1])[0] else G[0].accept()
    print("child reads", a.getsockopt(SOL_SOCKET, 49))


if __name__ == "__main__":
    main(globals())
