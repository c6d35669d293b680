"""Receive windows and what a segment is charged. See ../receive-window.md."""
from harness import *

SO_MEMINFO = 55
NAMES = (
    "rto ato snd_mss rcv_mss unacked sacked lost retrans fackets last_data_sent last_ack_sent last_data_recv last_ack_recv pmtu rcv_ssthresh rtt rttvar "
    "snd_ssthresh snd_cwnd advmss reordering rcv_rtt rcv_space total_retrans"
).split()


def tinfo(s):
    b = s.getsockopt(IPPROTO_TCP, TCP_INFO, 300)
    d = dict(zip(NAMES, struct.unpack_from("24I", b, 8)))
    d["rcv_wnd"] = struct.unpack_from("I", b, 232)[0]
    return d


def mem(s):
    return struct.unpack_from("2I", s.getsockopt(SOL_SOCKET, SO_MEMINFO, 36))


class Conn:
    "an established connection of a listener, the peer being us"

    def __init__(s, t, opts=None, v6=False, lis=None, rcvbuf=None, mss=1460, ws=7, after=None):
        s.t, s.v6, s.p = t, v6, 1000 + Conn.n
        Conn.n += 1
        s.L = lis or lsock(0, 5, "::" if v6 else "", AF_INET6 if v6 else AF_INET, pre=(lambda l: l.setsockopt(SOL_SOCKET, SO_RCVBUF, rcvbuf)) if rcvbuf else None)
        s.port = s.L.getsockname()[1]
        o = MSS(mss) + (WS(ws) if ws is not None else b"") if opts is None else opts
        t.send(s.p, s.port, S, 1000, opts=o, v6=v6)
        s.sa = t.one(dport=s.p)
        s.iss, s.seq = s.sa["seq"], 1001
        w = opt(s.sa, "WS")
        s.ws = w[1] if w else 0
        t.send(s.p, s.port, A, 1001, s.iss + 1, v6=v6)
        s.c = s.L.accept()[0]
        s.c.setblocking(False)

    def data(s, n, at=None, fl=A, quiet=0.02):
        seq = s.seq if at is None else 1001 + at
        s.t.send(s.p, s.port, fl, seq, s.iss + 1, data=b"x" * n, v6=s.v6)
        if at is None:
            s.seq += n
        return [(p["fl"], p["ack"] - 1001, p["win"] << s.ws, [o for o in p["opts"] if o[0] == "SACK"]) for p in s.t.recv(quiet, s.p)]

    def acks(s, quiet=0.06):
        return [(p["fl"], p["ack"] - 1001, p["win"] << s.ws) for p in s.t.recv(quiet, s.p)]


Conn.n = 0


def line(c):
    i = tinfo(c)
    return "rcv_ssthresh=%d rcv_wnd=%d rcv_mss=%d advmss=%d rcv_space=%d ato=%d rmem=%s" % (
        i["rcv_ssthresh"],
        i["rcv_wnd"],
        i["rcv_mss"],
        i["advmss"],
        i["rcv_space"],
        i["ato"],
        mem(c),
    )


def t_truesize():
    "what one segment of each size is charged"
    t = Tun(mtu=9000)
    last = None
    c = Conn(t, mss=8960)
    for n in list(range(1, 40)) + list(range(40, 9000 - 40, 4)):
        c.data(n, quiet=0.0005)
        r = mem(c.c)[0]
        if r != last:
            print(n, r)
            last = r
        try:
            while c.c.recv(1 << 20):
                pass
        except BlockingIOError:
            pass
        t.drain()


def t_first():
    for mtu in (1500, 1280, 9000):
        t = Tun(mtu=mtu, name="tun%d" % mtu)
        for v6 in (False, True):
            for o in ("", "ws", "ws+ts"):
                opts = MSS(mtu - 40) + (WS(7) if "ws" in o else b"") + (SACKOK + TS(1) if "ts" in o else b"")
                c = Conn(t, opts=opts, v6=v6)
                print("mtu", mtu, "v6" if v6 else "v4", o, "SYN-ACK", c.sa["win"], c.ws, line(c.c), c.data(1), line(c.c))
        sh("ip link del tun%d" % mtu)


def t_unread():
    "segments of one size, unread: memory, the windows of the ACKs, rcv_ssthresh"
    t = Tun()
    for n in (1, 100, 128, 500, 1000, 1460):
        c = Conn(t)
        out = []
        for i in range(24):
            a = c.data(n, quiet=0.0005)
            out.append((mem(c.c)[0], [x[2] for x in a], tinfo(c.c)["rcv_ssthresh"]))
        print(n, out)


def t_edge():
    "segments at and past the right edge, with an empty and with a filled queue"
    t = Tun()
    for ws in (None, 7):
        for unread in (0, 1):
            for at, n in ((0, 70000 % 65000), (62000, 1460), (63000, 1460), (64000, 1460), (64239, 1), (64240, 1), (64239, 100), (64240, 100), (64256, 1), (64300, 1)):
                c = Conn(t, ws=ws)
                if unread:
                    c.data(unread)
                b = nstat()
                a = c.data(n, at=at)
                print("ws", ws, "unread", unread, "at", at, "len", n, a, ndiff(b, nstat()), mem(c.c)[0])
                c.c.close()
    for rcvbuf in (4096,):
        c = Conn(t, rcvbuf=rcvbuf)
        print(line(c.c), c.sa["win"])
        for at, n in ((0, 1460), (1460, 1460), (2920, 100)):
            b = nstat()
            a = c.data(n, at=at)
            print("at", at, n, a, ndiff(b, nstat()), line(c.c))


def t_tiny():
    "a small receive buffer, unread: when memory is packed (the last number: memory set aside and not used)"
    t = Tun()
    c = Conn(t, ws=None, rcvbuf=4096)
    for i in range(40):
        b = nstat()
        a = c.data(100, quiet=0.0005)
        aside = struct.unpack("9I", c.c.getsockopt(SOL_SOCKET, SO_MEMINFO, 36))[4]
        print(i, a, ndiff(b, nstat()), mem(c.c)[0], aside)


def t_lo():
    "what one write costs over lo"
    L = lsock(0, 5, "127.0.0.1")
    for n in (1, 100, 4000, 16384, 65483):
        c = socket()
        c.connect(L.getsockname())
        a = L.accept()[0]
        out = [line(a)]
        for i in range(3):
            c.send(b"x" * n)
            time.sleep(0.005)
            out.append((mem(a)[0], tinfo(a)["rcv_ssthresh"], tinfo(a)["rcv_wnd"]))
        print(n, out)


if __name__ == "__main__":
    main(globals())
