# what came up while the cases were written
from harness import *
from syn_ack_and_queues import hs, DO


def k(v6):
    return dict(v6=True) if v6 else {}


KEEP = []


def lis(port, bl, v6):
    # kept open: closing it would reset its children in the middle of the next question
    KEEP.append(lsock(port, bl, "::" if v6 else "", AF_INET6 if v6 else AF_INET))
    return KEEP[-1]


def recv_n():
    return open("/proc/net/tcp").read().count(" 03 ") + open("/proc/net/tcp6").read().count(" 03 ")


def t_proven():
    "the quarter of tcp_max_syn_backlog that is kept for proven peers"
    for v6 in (0, 1):
        t = Tun("tun%d" % v6, "192.0.2.1/24" if not v6 else "192.0.3.1/24", "2001:db8::1/64" if v6 else "2001:db8:9::1/64")
        sysw("ipv4/tcp_syncookies", 0)
        sysw("ipv4/tcp_max_syn_backlog", 16)
        for proven in (0, 1):
            L = lis(80 + proven, 4096, v6)
            if proven:
                p = hs(t, 81, 1, **k(v6))
                a, _ = L.accept()
                a.send(b"x")
                d = t.one(0.2, 1)
                t.send(1, 81, A, 1001, d["seq"] + 1, opts=TS(1002, opt(d, "TS")[1]), **k(v6))
                a.close()
                f = t.one(0.2, 1)
                t.send(1, 81, F | A, 1001, f["seq"] + 1, opts=TS(1003, opt(f, "TS")[1]), **k(v6))
                t.recv(0.05)
            for i in range(40):
                t.send(1000 + i, 80 + proven, S, 1000, opts=DO, **k(v6))
            print("v6" if v6 else "v4", "proven" if proven else "unknown", "peer: SYN-ACKs", len(t.recv(0.1)), "of 40")
            L.close()
            time.sleep(1.3)
        os.close(t.fd)


def t_time_wait_and_full_queues():
    "a SYN that takes over a TIME_WAIT socket, with the queues full"
    t = Tun()
    sysw("ipv4/tcp_syncookies", 0)
    for v6 in (0, 1):
        for what in ("syn queue", "accept queue"):
            port = 90 + v6 * 2 + (what == "accept queue")
            L = lis(port, 1 if what == "syn queue" else 0, v6)
            hs(t, port, 1, **k(v6))
            time.sleep(0.01)
            a, _ = L.accept()
            a.close()
            f = t.one(0.2, 1)
            t.send(1, port, F | A, 1001, f["seq"] + 1, opts=TS(1003, opt(f, "TS")[1]), **k(v6))
            t.recv(0.05)
            if what == "syn queue":
                for i in range(5):
                    t.send(100 + i, port, S, 1000, opts=DO, **k(v6))
                print("half-open", len(t.recv(0.05)), "of 5", end=" ")
            else:
                hs(t, port, 2, **k(v6))
            n0 = nstat()
            t.send(1, port, S, 1000, opts=MSS(1460) + TS(9000), **k(v6))
            print("v6" if v6 else "v4", what, "full: SYN on TIME_WAIT ->", [x["fl"] for x in t.recv(0.1, 1)], ndiff(n0, nstat()))


def t_both_full():
    "both queues full: which check comes first"
    t = Tun()
    for v6 in (0, 1):
        sysw("ipv4/tcp_syncookies", 0)
        L = lis(80 + v6, 10, v6)
        for i in range(2):
            hs(t, 80 + v6, 1 + i, **k(v6))
            hs(t, 80 + v6, 101 + i, ack=False, **k(v6))
        clisten(L.fileno(), 1)
        t.drain()
        for ck in (0, 1):
            sysw("ipv4/tcp_syncookies", ck)
            n0 = nstat()
            t.send(200 + ck, 80 + v6, S, 1000, opts=DO, **k(v6))
            print("v6" if v6 else "v4", "syncookies", ck, "both queues full: SYN ->", show(t.recv(0.05, 200 + ck)), ndiff(n0, nstat()))


def t_tsecr():
    "the echoed timestamp of the final ACK"
    t = Tun()
    for v6 in (0, 1):
        L = lis(80 + v6, 50, v6)
        for i, off in enumerate((0, 1, -1, 100000, None)):
            p = hs(t, 80 + v6, 10 + i, ack=False, **k(v6))
            ts = opt(p, "TS")[1]
            n0 = nstat()
            t.send(10 + i, 80 + v6, A, 1001, p["seq"] + 1, opts=TS(1001, 0 if off is None else (ts + off) & 0xFFFFFFFF), **k(v6))
            print(
                "v6" if v6 else "v4",
                "TSecr",
                "0" if off is None else "of the SYN-ACK %+d" % off,
                "->",
                [x["fl"] for x in t.recv(0.05, 10 + i)],
                ndiff(n0, nstat()),
            )


def t_odd_range():
    "autobind in port ranges of 1 to 6 ports: how many listens succeed, and with which ports"
    for n in range(1, 7):
        sysw("ipv4/ip_local_port_range", "%d %d" % (40000 + 10 * n, 40000 + 10 * n + n - 1))
        r = set()
        for again in range(20):
            keep = []
            got = []
            for i in range(n):
                s = socket()
                keep.append(s)
                if clisten(s.fileno(), 1) == "OK":
                    got.append(s.getsockname()[1] - 40000 - 10 * n)
            for s in keep:
                s.close()
            r.add(tuple(sorted(got)))
        print("%d ports: offsets taken in 20 tries" % n, sorted(r))


def t_fin_completes():
    "the ACK of a FIN that completes the handshake, or that comes right after it"
    t = Tun()
    for v6 in (0, 1):
        L = lis(80 + v6, 50, v6)
        for i, what in enumerate(("FIN completes", "data completes", "FIN after ACK", "data after ACK")):
            p = hs(t, 80 + v6, 20 + i, ack="after" in what, **k(v6))
            time.sleep(0.02)
            n0 = nstat()
            t0 = time.time()
            t.send(
                20 + i,
                80 + v6,
                A | (F if "FIN" in what else P),
                1001,
                p["seq"] + 1,
                opts=TS(1002, opt(p, "TS")[1]),
                data=b"" if "FIN" in what else b"hi",
                **k(v6)
            )
            x = t.one(0.3, 20 + i)
            print("v6" if v6 else "v4", what, "-> ACK", x["ack"], "after more than 1 ms" if x["t"] - t0 > 0.001 else "at once", ndiff(n0, nstat()))


def t_mapped_source():
    "which layer refuses an impossible IPv6 source"
    t = Tun()
    L = lis(80, 50, 1)

    def n6():
        return {l.split()[0]: int(l.split()[1]) for l in open("/proc/net/snmp6")}

    for src in ("::ffff:192.0.2.2", "::1", "ff02::5", "::"):
        a = n6()
        n0 = nstat()
        t.send(2, 80, S, 1, src=src, v6=True)
        r = t.recv(0.05)
        b = n6()
        n1 = nstat()
        print(
            src,
            "->",
            show(r),
            {x: b[x] - a[x] for x in ("Ip6InHdrErrors", "Ip6InDelivers", "Ip6OutNoRoutes")},
            "Tcp.InSegs",
            n1["Tcp.InSegs"] - n0["Tcp.InSegs"],
            ndiff(n0, n1),
        )


if __name__ == "__main__":
    main(globals())
