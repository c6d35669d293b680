"""The clock of sequence numbers and timestamps, and what TIME_WAIT answers to a SYN; tcp_reflect_tos."""
from harness import *

FAMS = [(AF_INET, False), (AF_INET6, True)]


def peer(v6):
    return ("2001:db8::2" if v6 else "192.0.2.2")


def any_(fam):
    return "0.0.0.0" if fam == AF_INET else "::"


def each(f):
    sys.stdout.flush()
    for fam, v6 in FAMS:
        pid = os.fork()
        if pid == 0:
            try:
                enter()
                f(fam, v6, Tun())
            except BaseException:
                import traceback

                traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(pid, 0)


def t_isn_clock():
    def ask(fam, v6, t):
        L = lsock(7000, 50, any_(fam), fam)
        r = []
        for _ in range(6):
            a = time.clock_gettime_ns(time.CLOCK_REALTIME)
            t.send(5000, 7000, S, 100, v6=v6)
            b = time.clock_gettime_ns(time.CLOCK_REALTIME)
            p = t.one()
            t.send(5000, 7000, R, 101, v6=v6)
            r.append(((a + b) // 2, p["seq"], b - a))
            time.sleep(0.01)
        for (a, x, d), (b, y, e) in zip(r, r[1:]):
            got = (y - x) % 2**32
            print(fam.name, "ns per unit", round((b - a) / got, 1))
        seqs = []
        for sp in range(5001, 5005):
            t.send(sp, 7000, S, 100, v6=v6)
            seqs.append(t.one()["seq"])
        d = [(y - x) % 2**32 for x, y in zip(seqs, seqs[1:])]
        print(fam.name, "neighbouring ports' ISNs lie far apart", all(10**6 < x < 2**32 - 10**6 for x in d))

    each(ask)


def t_ts_offset():
    def ask(fam, v6, t):
        for mode in (1, 2, 0):
            sysw("ipv4/tcp_timestamps", mode)
            L = lsock(7000 + mode, 50, any_(fam), fam)
            seen = []
            for sp in (5000, 5001, 5002, 5000):
                t.send(sp, 7000 + mode, S, 100, opts=MSS(1460) + TS(7), v6=v6)
                ms = time.monotonic_ns() // 10**6
                o = opt(t.one(), "TS")
                t.send(sp, 7000 + mode, R, 101, v6=v6)
                seen.append(o and (o[1] - ms) % 2**32)
            if mode == 0:
                print(fam.name, "mode 0", seen)
                continue
            same = abs(seen[0] - seen[3]) <= 3
            apart = len({x >> 4 for x in seen[:3]})
            print(fam.name, "mode", mode, "one tuple, one offset:", same, "three ports, different offsets:", apart)
            print(fam.name, "   offset is none against the boot clock (ms):", [x < 50 or x > 2**32 - 50 for x in seen][:3])
        sysw("ipv4/tcp_timestamps", 2)
        seen = []
        for sp in (6000, 6001):
            s = socket(fam)
            s.setblocking(False)
            s.connect_ex((peer(v6), sp))
            p = t.one()
            seen.append(opt(p, "TS")[1])
        print(fam.name, "mode 2, our own SYNs within", abs(seen[0] - seen[1]) < 200)

    each(ask)


def tw(t, fam, v6, sp, ts, port=7000):
    "a TIME_WAIT at our side: gives (snd_nxt, rcv_nxt)"
    L = lsock(port, 50, any_(fam), fam)
    t.drain()
    t.send(sp, port, S, 1000, opts=MSS(1460) + (TS(5000) if ts else b""), v6=v6)
    p = t.one()
    o = (lambda v: TS(v, opt(p, "TS")[1])) if ts else (lambda v: b"")
    t.send(sp, port, A, 1001, p["seq"] + 1, opts=o(5001), v6=v6)
    time.sleep(0.01)
    c = L.accept()[0]
    c.close()
    f = t.one()
    t.send(sp, port, F | A, 1001, f["seq"] + 1, opts=o(5002), v6=v6)
    l = t.one()
    t.drain()
    return L, (f["seq"] + 1) % 2**32, 1002, o


def t_time_wait():
    def ask(fam, v6, t):
        n = 0
        for ts in (True, False):
            for what, seq, val in (
                ("newer ts, higher seq", 5000, 5003),
                ("newer ts, equal seq", 1002, 5003),
                ("newer ts, lower seq", 900, 5003),
                ("same ts, higher seq", 5000, 5002),
                ("same ts, equal seq", 1002, 5002),
                ("same ts, lower seq", 900, 5002),
                ("older ts, higher seq", 5000, 4000),
                ("older ts, lower seq", 900, 4000),
                ("no ts, higher seq", 5000, None),
                ("no ts, equal seq", 1002, None),
                ("no ts, lower seq", 900, None),
            ):
                if not ts and val is not None and not what.startswith("newer"):
                    continue
                n += 1
                L, snd, rcv, o = tw(t, fam, v6, 5000 + n, ts, 7000 + n)
                a = nstat()
                t.send(5000 + n, 7000 + n, S, seq, opts=MSS(1460) + (TS(val) if val is not None else b""), v6=v6)
                p = t.one()
                b = nstat()
                d = p and (p["fl"], (p["seq"] - snd) % 2**32, (p["ack"] - seq) % 2**32 if p["fl"] == "SA" else p["ack"])
                print(fam.name, "tw with ts" if ts else "tw without ts", "|", what, "->", d, ndiff(a, b))
                if p and p["fl"] == "A":
                    a = nstat()
                    t.send(5000 + n, 7000 + n, S, seq, opts=MSS(1460) + (TS(val) if val is not None else b""), v6=v6)
                    print("     again at once ->", show(t.one()), ndiff(a, nstat()))
                L.close()

    each(ask)


def t_time_wait_others():
    def ask(fam, v6, t):
        n = 100
        for what, fl, seq in (
            ("SYN+ACK higher", S | A, 5000),
            ("SYN+RST", S | R, 5000),
            ("SYN+FIN higher", S | F, 5000),
            ("ACK at rcv_nxt", A, 1002),
            ("ACK beyond", A, 5000),
            ("ACK below", A, 900),
            ("data at rcv_nxt", P | A, 1002),
            ("FIN again", F | A, 1001),
            ("RST at rcv_nxt", R, 1002),
            ("RST beyond", R, 5000),
            ("RST below", R, 900),
        ):
            n += 1
            L, snd, rcv, o = tw(t, fam, v6, 5000 + n, True, 7000 + n)
            a = nstat()
            t.send(5000 + n, 7000 + n, fl, seq, snd if fl & A else 0, opts=o(5003), data=b"xy" if fl & P else b"", v6=v6)
            p = t.one()
            gone = not any(":%04X " % (7000 + n) in x and " 06 " in x for x in open("/proc/net/tcp6" if v6 else "/proc/net/tcp"))
            print(fam.name, what, "->", p and (p["fl"], (p["seq"] - snd) % 2**32, p["ack"]), "gone" if gone else "stays", ndiff(a, nstat()))
            L.close()
        # with no listener any more
        n += 1
        L, snd, rcv, o = tw(t, fam, v6, 5000 + n, True, 7000 + n)
        L.close()
        t.send(5000 + n, 7000 + n, S, 5000, opts=MSS(1460) + TS(5003), v6=v6)
        p = t.one()
        print(fam.name, "new SYN, no listener ->", p and (p["fl"], p["seq"], p["ack"]))
        # new listener, accept queue full
        n += 1
        L, snd, rcv, o = tw(t, fam, v6, 5000 + n, True, 7000 + n)
        clisten(L.fileno(), 0)
        c = socket(fam)
        c.connect(("127.0.0.1" if not v6 else "::1", 7000 + n))
        a = nstat()
        t.send(5000 + n, 7000 + n, S, 5000, opts=MSS(1460) + TS(5003), v6=v6)
        p = t.one()
        print(fam.name, "new SYN, accept queue full ->", show(p), ndiff(a, nstat()))
        # SYN in FIN_WAIT_2 of nobody's
        n += 1
        L = lsock(7000 + n, 50, any_(fam), fam)
        t.send(5000 + n, 7000 + n, S, 1000, opts=MSS(1460) + TS(5000), v6=v6)
        p = t.one()
        o = lambda v: TS(v, opt(p, "TS")[1])
        t.send(5000 + n, 7000 + n, A, 1001, p["seq"] + 1, opts=o(5001), v6=v6)
        time.sleep(0.01)
        L.accept()[0].close()
        f = t.one()
        t.send(5000 + n, 7000 + n, A, 1001, f["seq"] + 1, opts=o(5002), v6=v6)
        a = nstat()
        t.send(5000 + n, 7000 + n, S, 5000, opts=MSS(1460) + TS(5003), v6=v6)
        print(fam.name, "SYN in FIN_WAIT2 ->", [(p["fl"], (p["seq"] - f["seq"]) % 2**32, p["ack"]) for p in t.recv()], ndiff(a, nstat()))

    each(ask)


def t_reflect_tos():
    def ask(fam, v6, t):
        for reflect in (0, 1):
            sysw("ipv4/tcp_reflect_tos", reflect)
            for set_ in (0, 0x20):
                L = lsock(7000 + reflect * 10 + set_, 50, any_(fam), fam)
                L.setsockopt(*((IPPROTO_IPV6, 67) if v6 else (SOL_IP, IP_TOS)), set_)
                for k, tos in enumerate((0, 0x48, 0x4B, 0xFF, 3)):
                    sp = 5000 + k + reflect * 100 + set_
                    port = 7000 + reflect * 10 + set_
                    t.drain()
                    t.send(sp, port, S, 1000, opts=MSS(1460), v6=v6, tos=tos)
                    p = t.one(dport=sp)
                    t.send(sp, port, A, 1001, p["seq"] + 1, v6=v6, tos=0x10)
                    time.sleep(0.005)
                    c = L.accept()[0]
                    own = c.getsockopt(*((IPPROTO_IPV6, 67) if v6 else (SOL_IP, IP_TOS)))
                    c.send(b"x")
                    d = t.one(dport=sp)
                    t.send(sp, port, R, 1001, v6=v6)
                    c.close()
                    print(fam.name, "reflect", reflect, "set", hex(set_), "SYN", hex(tos), "-> SYN-ACK", hex(p["tos"]), "child's option", hex(own), "data", hex(d["tos"]))
                L.close()
            L = lsock(7500 + reflect, 50, any_(fam), fam)
            sysw("ipv4/tcp_syncookies", 2)
            t.send(5900 + reflect, 7500 + reflect, S, 1000, opts=MSS(1460), v6=v6, tos=0x48)
            p = t.one(dport=5900 + reflect)
            t.send(5900 + reflect, 7500 + reflect, A, 1001, p["seq"] + 1, v6=v6, tos=0x10)
            time.sleep(0.005)
            c = L.accept()[0]
            c.send(b"x")
            print(fam.name, "reflect", reflect, "cookie: SYN-ACK", hex(p["tos"]), "data", hex(t.one(dport=5900 + reflect)["tos"]))
            sysw("ipv4/tcp_syncookies", 1)
            sysw("ipv4/tcp_ecn", 1)
            t.send(5950 + reflect, 7500 + reflect, S | EE | C, 1000, opts=MSS(1460), v6=v6, tos=0x48)
            p = t.one(dport=5950 + reflect)
            t.send(5950 + reflect, 7500 + reflect, A, 1001, p["seq"] + 1, v6=v6, tos=0x10)
            time.sleep(0.005)
            c = L.accept()[0]
            c.send(b"x")
            print(fam.name, "reflect", reflect, "ECN: SYN-ACK", p["fl"], hex(p["tos"]), "data", hex(t.one(dport=5950 + reflect)["tos"]))
            sysw("ipv4/tcp_ecn", 2)
            t.send(5970 + reflect, 7500 + reflect, S, 1000, opts=MSS(1460), v6=v6, tos=0x48)
            p = t.one(dport=5970 + reflect)
            q = t.one(1.5, dport=5970 + reflect)
            t.send(5970 + reflect, 7500 + reflect, A, 900, p["seq"] + 1, v6=v6, tos=0x10)
            r = t.one(dport=5970 + reflect)
            t.send(5970 + reflect, 7500 + reflect, A, 1001, p["seq"] + 5, v6=v6, tos=0x10)
            w = t.one(dport=5970 + reflect)
            print(fam.name, "reflect", reflect, "SYN-ACK again", q["fl"], hex(q["tos"]), "ACK for an old one", r["fl"], hex(r["tos"]), "RST for a wrong ACK", w["fl"], hex(w["tos"]))
        for v in ("0", "1", "2", "255", "256", "-1"):
            print("tcp_reflect_tos", v, E(sysw, "ipv4/tcp_reflect_tos", v))

    each(ask)


main(globals())
