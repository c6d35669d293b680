from harness import *
import ctypes

SO_LOCK_FILTER = 44


def kw(v6):
    return dict(v6=True) if v6 else {}


def attach(s, insns, name=26, length=None):
    code = b"".join(struct.pack("HBBI", *i) for i in insns)
    buf = ctypes.create_string_buffer(code, max(1, len(code)))
    prog = struct.pack("HxxxxxxQ", len(insns) if length is None else length, ctypes.addressof(buf))
    return E(s.setsockopt, SOL_SOCKET, name, prog)


RET = lambda k: (6, 0, 0, k)


def t_filter():
    "SO_ATTACH_FILTER on listeners, requests and connections"
    t = Tun()
    for v6 in (False, True):
        port, k = 80 + v6, kw(v6)
        L = lsock(port, 50, "::" if v6 else "", AF_INET6 if v6 else AF_INET)
        print("v6" if v6 else "v4", "attach drop", attach(L, [RET(0)]))
        n0 = nstat()
        t.send(1000, port, S, 1000, opts=MSS(1460), **k)
        print("SYN", show(t.recv(0.05, 1000)), ndiff(n0, nstat(), ("Tcp", "Ip")))
        t.send(1000, port, A, 1000, 7, **k)
        print("stray ACK", show(t.recv(0.05, 1000)))
        print("get", E(L.getsockopt, SOL_SOCKET, 26, 8), "detach", E(L.setsockopt, SOL_SOCKET, 27, 0), E(L.setsockopt, SOL_SOCKET, 27, 0))
        t.send(1000, port, S, 1000, opts=MSS(1460), **k)
        p = t.one(0.1, 1000)
        attach(L, [RET(0)])
        t.send(1000, port, A, 1001, p["seq"] + 1, **k)
        t.recv(0.02)
        print("request's ACK under drop", q(L))
        # let the ports 2000 and above in, by offset 0 of the TCP header
        print("attach by port", attach(L, [(0x28, 0, 0, 0), (0x35, 0, 1, 2000), RET(0xFFFF), RET(0)]))
        t.send(1000, port, A, 1001, p["seq"] + 1, **k)
        t.recv(0.02)
        print("request's ACK from 1000", q(L))
        t.send(2000, port, S, 1000, opts=MSS(1460), **k)
        p = t.one(0.1, 2000)
        t.send(2000, port, A, 1001, p["seq"] + 1, **k)
        t.recv(0.02)
        c, _ = L.accept()
        c.setblocking(False)
        # child's own: keep 25 bytes: header and 5 of data
        print("child attach 25", attach(c, [RET(25)]))
        t.send(2000, port, A | P, 1001, p["seq"] + 1, data=b"0123456789", **k)
        a = t.one(0.1, 2000)
        print("10 bytes", a and a["ack"] - 1001, E(c.recv, 100))
        print("child attach 3", attach(c, [RET(3)]))
        t.send(2000, port, A | P, 1006, p["seq"] + 1, data=b"56789", **k)
        a = t.one(0.1, 2000)
        print("5 bytes", a and a["ack"] - 1001, E(c.recv, 100))
        print("child attach 0", attach(c, [RET(0)]))
        n0 = nstat()
        t.send(2000, port, R, 1006, **k)
        print("RST", info(c)["state"], ndiff(n0, nstat()))
        print("child detach", E(c.setsockopt, SOL_SOCKET, 27, 0))
        t.send(2000, port, A | P, 1006, p["seq"] + 1, data=b"56789", **k)
        a = t.one(0.1, 2000)
        print("5 bytes", a and a["ack"] - 1001, E(c.recv, 100))
        # length and network offset
        for nm, prog in (("len", [(0x80, 0, 0, 0), (0x15, 0, 1, 24), RET(0xFFFF), RET(0)]), ("ip version", [(0x30, 0, 0, 0xFFF00000), (0x74, 0, 0, 4), (0x15, 0, 1, 6 if v6 else 4), RET(0xFFFF), RET(0)]), ("protocol", [(0x28, 0, 0, 0xFFFFF000), (0x15, 0, 1, 0x86DD if v6 else 0x800), RET(0xFFFF), RET(0)])):
            M = lsock(90, 5, "::" if v6 else "", AF_INET6 if v6 else AF_INET)
            attach(M, prog)
            t.send(3000, 90, S, 1000, opts=MSS(1460), **k)
            print(nm, show(t.recv(0.05, 3000))[:3])
            M.close()


def t_inherit():
    "children have it, as it was at the ACK"
    t = Tun()
    L = lsock(80, 50)
    t.send(1000, 80, S, 1000, opts=MSS(1460))
    p = t.one(0.1, 1000)
    attach(L, [(0x80, 0, 0, 0), (0x15, 0, 1, 20), RET(0xFFFF), RET(0)])
    t.send(1000, 80, A, 1001, p["seq"] + 1)
    t.recv(0.02)
    L.setsockopt(SOL_SOCKET, 27, 0)
    c, _ = L.accept()
    c.setblocking(False)
    t.send(1000, 80, A | P, 1001, p["seq"] + 1, data=b"x")
    print("data under inherited filter", show(t.recv(0.05, 1000)), "child detach", E(c.setsockopt, SOL_SOCKET, 27, 0))


def t_lock():
    "SO_LOCK_FILTER"
    s = socket()
    print("attach", attach(s, [RET(1)]), "lock", E(s.setsockopt, SOL_SOCKET, SO_LOCK_FILTER, 1), s.getsockopt(SOL_SOCKET, SO_LOCK_FILTER))
    print("attach", attach(s, [RET(1)]), "detach", E(s.setsockopt, SOL_SOCKET, 27, 0), "unlock", E(s.setsockopt, SOL_SOCKET, SO_LOCK_FILTER, 0), "lock again", E(s.setsockopt, SOL_SOCKET, SO_LOCK_FILTER, 1))
    s = socket()
    print("lock without filter", E(s.setsockopt, SOL_SOCKET, SO_LOCK_FILTER, 1), "attach", attach(s, [RET(1)]), "detach", E(s.setsockopt, SOL_SOCKET, 27, 0))
    s = socket()
    print("bad programs", attach(s, []), attach(s, [(0, 0, 0, 0)]), attach(s, [(6, 0, 0, 0)] * 4096), attach(s, [(6, 0, 0, 0)] * 4097), attach(s, [(0xFF, 0, 0, 0), RET(0)]), E(s.setsockopt, SOL_SOCKET, 26, b"1234"), E(s.setsockopt, SOL_SOCKET, 26, b"x" * 17))
    print("get none", E(s.getsockopt, SOL_SOCKET, 26, 0), "one", attach(s, [RET(7)]))


main(globals())
