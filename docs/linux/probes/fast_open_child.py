from harness import *
from fast_open import KEY, cookie, fo, TFOQ

# What becomes of a Fast Open child, over IPv4 and IPv6. Each question is asked of both.


class Side:
    def __init__(s, v6, flags=3):
        s.v6 = v6
        s.t = Tun()
        sysw("ipv4/tcp_fastopen", flags)
        sysw("ipv4/tcp_fastopen_key", KEY)
        s.fam = AF_INET6 if v6 else AF_INET
        s.c = cookie(KEY, "2001:db8::2", "2001:db8::1", AF_INET6) if v6 else cookie(KEY)
        s.mss = MSS(1440 if v6 else 1460)

    def listen(s, port, backlog=5, qlen=5):
        return lsock(port, backlog, fam=s.fam, pre=fo(qlen))

    def send(s, port, dport, fl, *a, **k):
        s.t.send(port, dport, fl, *a, v6=s.v6, **k)

    def syn(s, port, dport, data=b"hello", opts=None, fl=S, **k):
        s.send(port, dport, fl, 1000, opts=s.mss + TFO(s.c) if opts is None else s.mss + opts, data=data, **k)
        return s.t.one(0.15, port)

    def child(s, port, L, data=b"hello"):
        p = s.syn(port, L.getsockname()[1], data)
        a, _ = L.accept()
        a.setblocking(False)
        return a, p


def both(f):
    for v6 in (False, True):
        print("--", "v6" if v6 else "v4", flush=True)
        pid = os.fork()
        if pid == 0:
            try:
                enter()
                f(Side(v6))
            except BaseException:
                import traceback

                traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(pid, 0)


def opts_of(s):
    return bin(s.getsockopt(IPPROTO_TCP, TCP_INFO, 104)[5])


def poll(s):
    p = select.poll()
    p.register(s, 0x2FFF)
    r = p.poll(0)
    return hex(r[0][1]) if r else "0"


def rows(v6):
    return [" ".join(l.split()[1:10]) for l in open("/proc/net/tcp6" if v6 else "/proc/net/tcp").read().splitlines()[1:] if l.split()[3] != "0A"]


def row(v6):
    "state, tx:rx, timer, retransmits, inode or not"
    return [
        (l.split()[3], l.split()[4], l.split()[5][:2], l.split()[6], l.split()[9] != "0")
        for l in open("/proc/net/tcp6" if v6 else "/proc/net/tcp").read().splitlines()[1:]
        if l.split()[3] != "0A"
    ]


def t_options():
    def f(x):
        L = x.listen(80, 50, 50)
        for port, o in ((1, TFO()), (2, TFO(x.c)), (3, TFO(b"\1" * 8)), (4, TFO(x.c[:4])), (5, TFO(x.c + x.c)), (6, TFO(x.c[:3])), (7, TFOX()), (8, TFOX(x.c)), (9, b"")):
            n0 = nstat()
            p = x.syn(port, 80, opts=o)
            print(port, "ack", p["ack"] - 1000, p["opts"][1:], ndiff(n0, nstat()), q(L))
        n0 = nstat()
        p = x.syn(10, 80, data=b"")
        print("cookie, no data: ack", p["ack"] - 1000, p["opts"][1:], ndiff(n0, nstat()), q(L))
        a, _ = L.accept()
        b, _ = L.accept()
        c, _ = L.accept()
        print("tcpi_options with data", opts_of(a), "without", opts_of(c))
        n0 = nstat()
        print("SYN+FIN", show(x.syn(11, 80, fl=S | F)), ndiff(n0, nstat()))
        n0 = nstat()
        p = x.syn(12, 80, opts=SACKOK + TS(5) + WS(7) + TFO(x.c))
        print("all options", p["ack"] - 1000, p["win"], [o[0] for o in p["opts"]], ndiff(n0, nstat()))
        # a backup key
        other = "a0b1c2d3-00000000-11111111-22222222"
        sysw("ipv4/tcp_fastopen_key", other + "," + KEY)
        n0 = nstat()
        p = x.syn(13, 80)
        print("backup key: ack", p["ack"] - 1000, p["opts"][1:], ndiff(n0, nstat()))
        p = x.syn(14, 80, opts=TFOX(x.c))
        print("backup key, experimental: ack", p["ack"] - 1000, p["opts"][1:])

    both(f)


def t_syn_recv():
    def f(x):
        L = x.listen(80)
        p = x.syn(1, 80)
        print("not accepted: rows", row(x.v6), "ss", len(rows(x.v6)))
        a, _ = L.accept()
        print("accepted: rows", row(x.v6), "poll", poll(a), "names", E(a.getsockname), E(a.getpeername))
        print("so_error", a.getsockopt(SOL_SOCKET, SO_ERROR), "maxseg", a.getsockopt(IPPROTO_TCP, TCP_MAXSEG))
        n0 = nstat()
        print("send", E(a.send, b"world"), show(x.t.recv(0.1, 1)), ndiff(n0, nstat()), row(x.v6))
        print("recv", E(a.recv, 9), "again", E(a.recv, 9, MSG_DONTWAIT), "poll", poll(a))
        print("listen", clisten(a.fileno(), 5), "connect", E(a.connect, ("::1" if x.v6 else "127.0.0.1", 80)))
        print("TCP_FASTOPEN", E(a.setsockopt, IPPROTO_TCP, TFOQ, 5), a.getsockopt(IPPROTO_TCP, TFOQ))
        n0 = nstat()
        x.send(1, 80, A, 1006, p["seq"] + 1)
        print("ACK of the SYN only:", show(x.t.recv(0.05, 1)), "state", info(a)["state"], ndiff(n0, nstat()), row(x.v6))
        print("later:", show(x.t.recv(0.5, 1)), opts_of(a), poll(a))

    both(f)


def t_segments():
    "what meets a child in SYN_RECV"

    def f(x):
        L = x.listen(80, 50, 50)
        n = [100]

        def ask(what, fl, seq, ack, data=b"", opts=b"", accept=True, synopts=None):
            n[0] += 1
            port = n[0]
            p = x.syn(port, 80, opts=synopts)
            a, _ = L.accept()
            n0 = nstat()
            x.send(port, 80, fl, 1000 + seq, (p["seq"] + ack) & 0xFFFFFFFF if ack is not None else 0, data=data, opts=opts)
            r = x.t.recv(0.06, port)
            print(what, [(y["fl"], y["seq"] - p["seq"], y["ack"] - 1000 if y["ack"] else 0) for y in r], "state", info(a)["state"], ndiff(n0, nstat()), flush=True)
            return a, port, p

        ask("right ACK", A, 6, 1)
        ask("data and right ACK", A | P, 6, 1, b"more")
        ask("right ACK at the SYN's end", A, 1, 1)
        ask("right ACK, data again", A | P, 1, 1, b"hello")
        ask("right ACK, data beyond a hole", A | P, 16, 1, b"more")
        ask("FIN and right ACK", F | A, 6, 1)
        ask("ACK of nothing", A, 6, 0)
        ask("ACK too high", A, 6, 5)
        ask("ACK too high, data", A | P, 6, 5, b"more")
        ask("ACK out of window", A, 200000, 1)
        ask("ACK below", A, -100, 1)
        ask("no flags", 0, 6, None, b"x")
        ask("FIN only", F, 6, None)
        ask("RST exact", R, 6, None)
        ask("RST exact with ACK", R | A, 6, 1)
        ask("RST at the SYN's end", R, 1, None)
        ask("RST in window", R, 50, None)
        ask("RST out of window", R, 200000, None)
        ask("SYN again, same", S, 0, None, b"hello", x.mss + TFO(x.c))
        ask("SYN again, bare", S, 0, None, b"", x.mss)
        ask("SYN again, other data", S, 0, None, b"HELLO!!!!", x.mss + TFO(x.c))
        ask("SYN in window", S, 6, None)
        ask("SYN in window, later", S, 20, None)
        ask("SYN out of window", S, 900000, None)
        ask("SYN ACK", S | A, 6, 1)
        ask("SYN ACK at the SYN", S | A, 0, 1)
        T = SACKOK + TS(50) + WS(7) + TFO(x.c)
        ask("old timestamp", A, 6, 1, opts=TS(10, 1), synopts=T)
        ask("wrong echo", A, 6, 1, opts=TS(60, 1), synopts=T)
        ask("no timestamp", A, 6, 1, synopts=T)
        n0 = nstat()

    both(f)


def t_repeat():
    "the same SYN many times, and its rate"

    def f(x):
        L = x.listen(80)
        a, p = x.child(1, L)
        n0 = nstat()
        for i in range(3):
            x.send(1, 80, S, 1000, opts=x.mss + TFO(x.c), data=b"hello")
        print("3 at once:", [y["fl"] for y in x.t.recv(0.1, 1)], ndiff(n0, nstat()))
        time.sleep(0.6)
        n0 = nstat()
        x.send(1, 80, S, 1000, opts=x.mss + TFO(x.c), data=b"hello")
        print("0.7 s later:", show(x.t.recv(0.1, 1)), ndiff(n0, nstat()))
        sysw("ipv4/tcp_invalid_ratelimit", 0)
        n0 = nstat()
        for i in range(3):
            x.send(1, 80, S, 1000, opts=x.mss + TFO(x.c), data=b"hello")
        print("no limit:", [y["fl"] for y in x.t.recv(0.1, 1)], ndiff(n0, nstat()))

    both(f)


def t_shut():
    def f(x):
        L = x.listen(80, 50, 50)
        for how, name in ((SHUT_WR, "WR"), (SHUT_RD, "RD"), (SHUT_RDWR, "RDWR")):
            for wrote in (b"", b"world"):
                port = 10 + how * 2 + bool(wrote)
                a, p = x.child(port, L)
                if wrote:
                    a.send(wrote)
                    x.t.recv(0.05, port)
                n0 = nstat()
                r = E(a.shutdown, how)
                print(name, wrote, r, [(y["fl"], y["seq"] - p["seq"], len(y["data"])) for y in x.t.recv(0.1, port)], "state", info(a)["state"], "poll", poll(a), "send", E(a.send, b"z"), ndiff(n0, nstat()))
                n0 = nstat()
                x.send(port, 80, A, 1006, p["seq"] + 1 + len(wrote))
                print("   ACK:", [(y["fl"], y["seq"] - p["seq"], y["ack"] - 1000, len(y["data"])) for y in x.t.recv(0.15, port)], "state", info(a)["state"], "poll", poll(a), "recv", E(a.recv, 9), ndiff(n0, nstat()))
                a.close()
                x.t.recv(0.05)

    both(f)


def t_close():
    def f(x):
        L = x.listen(80, 50, 50)
        port = 20
        for name, act in (
            ("close, unread", lambda a: a.close()),
            ("close, read", lambda a: (a.recv(9), a.close())),
            ("close, read, linger 0", lambda a: (a.recv(9), a.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0)), a.close())),
            ("close, read, written", lambda a: (a.recv(9), a.send(b"world"), a.close())),
            ("AF_UNSPEC", lambda a: E(libc.connect, a.fileno(), struct.pack("H14x", 0), 16)),
        ):
            port += 1
            a, p = x.child(port, L)
            n0 = nstat()
            act(a)
            print(name, [(y["fl"], y["seq"] - p["seq"], y["ack"] - 1000, len(y["data"])) for y in x.t.recv(0.1, port)], row(x.v6), ndiff(n0, nstat()))
            if name == "AF_UNSPEC":
                print("   state", info(a)["state"], "listen", clisten(a.fileno(), 5))
                continue
            n0 = nstat()
            x.send(port, 80, A, 1006, p["seq"] + 1)
            print("   ACK:", [(y["fl"], y["seq"] - p["seq"], y["ack"] - 1000 if y["ack"] else 0, len(y["data"])) for y in x.t.recv(0.15, port)], row(x.v6), ndiff(n0, nstat()))
        n0 = nstat()
        x.syn(40, 80)
        x.syn(41, 80, data=b"")
        a, p = x.child(42, L) if False else (None, None)
        n0 = nstat()
        L.close()
        print("listener closed, two pending:", [(y["fl"], y["ack"] - 1000) for y in x.t.recv(0.1)], ndiff(n0, nstat()))
        L = x.listen(81)
        a, p = x.child(50, L)
        L.close()
        print("listener closed, child accepted:", [y["fl"] for y in x.t.recv(0.1, 50)], "state", info(a)["state"])
        x.send(50, 81, A, 1006, p["seq"] + 1)
        time.sleep(0.02)
        print("   after the ACK", info(a)["state"], E(a.recv, 9))

    both(f)


def t_time():
    def f(x):
        sysw("ipv4/tcp_synack_retries", 2)
        L = x.listen(80, 50, 50)
        a, p = x.child(1, L)
        b, p2 = x.child(2, L)
        b.send(b"world")
        x.syn(3, 80)
        n0 = nstat()
        t0 = p["t"]
        r = []
        end = time.time() + 16
        seen = []
        while time.time() < end:
            r += x.t.recv(0.5)
            s = (info(a)["state"], a.getsockopt(IPPROTO_TCP, TCP_INFO, 104)[2], info(b)["state"], row(x.v6))
            if not seen or seen[-1][1] != s:
                seen.append((round(time.time() - t0, 1), s))
        print([(y["dport"], y["fl"], round(y["t"] - t0, 1), len(y["data"])) for y in r])
        for s in seen:
            print("  ", s)
        print("states", info(a)["state"], info(b)["state"], "poll", poll(a), "recv", E(a.recv, 9), E(a.recv, 9), E(a.recv, 9), q(L), ndiff(n0, nstat()))
        c, _ = L.accept()
        print("the one not accepted:", info(c)["state"], E(c.recv, 9), E(c.recv, 9))

    both(f)


def t_late_ack():
    def f(x):
        for synopts in (None, SACKOK + TS(50) + WS(7) + TFO(x.c)):
            L = x.listen(80 if synopts is None else 81)
            dport = L.getsockname()[1]
            p = x.syn(1, dport, opts=synopts)
            a, _ = L.accept()
            a.send(b"world")
            r = x.t.recv(1.5, 1)
            print("before the ACK", [(y["fl"], len(y["data"])) for y in r], "cwnd", struct.unpack_from("I", a.getsockopt(IPPROTO_TCP, TCP_INFO, 104), 80)[0])
            n0 = nstat()
            o = b""
            if synopts:
                o = TS(60, opt(p, "TS")[1])
            x.send(1, dport, A, 1006, p["seq"] + 1, opts=o)
            r = x.t.recv(0.5, 1)
            i = a.getsockopt(IPPROTO_TCP, TCP_INFO, 256)
            print("after", [(y["fl"], y["seq"] - p["seq"], len(y["data"])) for y in r], "state", i[0], "ca", i[1], "cwnd", struct.unpack_from("I", i, 80)[0], "rto", struct.unpack_from("I", i, 8)[0], ndiff(n0, nstat()))

    both(f)


def t_lost_syn_ack():
    "the congestion window after SYN-ACKs that were lost"

    def f(x):
        L = x.listen(80, 50, 50)
        cases = []
        port = 0
        for times in (1, 2, 3):
            for stamps in (False, True):
                for wrote in (b"", b"world"):
                    port += 1
                    p = x.syn(port, 80, opts=(SACKOK + TS(50) + WS(7) if stamps else b"") + TFO(x.c))
                    a, _ = L.accept()
                    if wrote:
                        a.send(wrote)
                    cases.append((times, stamps, wrote, port, p, a))
        t0 = time.time()
        for times, stamps, wrote, port, p, a in cases:
            while time.time() < t0 + (1.4, 3.8, 8.2)[times - 1]:
                time.sleep(0.05)
            x.t.recv(0.05)
            n0 = nstat()
            x.send(port, 80, A, 1006, p["seq"] + 1 + len(wrote), opts=TS(60, opt(p, "TS")[1]) if stamps else b"")
            time.sleep(0.02)
            i = a.getsockopt(IPPROTO_TCP, TCP_INFO, 256)
            cwnd, thresh = struct.unpack_from("I", i, 80)[0], struct.unpack_from("I", i, 76)[0]
            print(times, "lost, timestamps", stamps, wrote, "state", i[0], "ca", i[1], "cwnd", cwnd, "ssthresh", thresh, "rto", struct.unpack_from("I", i, 8)[0], ndiff(n0, nstat()))
            a.send(b"x" * 20000)
            r = x.t.recv(0.1, port)
            print("   sent at once", sum(len(y["data"]) for y in r), "in", len(r))
            x.send(port, 80, R, 1006)
            x.t.drain()

    both(f)


def t_slots():
    def f(x):
        def full(L, port):
            p = x.syn(port, L.getsockname()[1])
            return p["ack"] == 1001

        L = x.listen(80, 50, 1)
        a, p = x.child(1, L)
        x.send(1, 80, R, 1006)
        n0 = nstat()
        print("accepted, RST: full", full(L, 2), ndiff(n0, nstat()))
        for opts, name in ((TFO(), "request"), (TFO(b"\1" * 8), "wrong"), (TFO(x.c), "right"), (b"", "none")):
            n0 = nstat()
            p = x.syn(3 + len(name), 80, opts=opts)
            print("   full,", name, ":", p["ack"] - 1000, p["opts"][1:], ndiff(n0, nstat()))
        L2 = x.listen(81, 50, 1)
        x.syn(20, 81)
        x.send(20, 81, R, 1006)
        time.sleep(0.02)
        print("not accepted, RST: full", full(L2, 21))
        L3 = x.listen(82, 50, 1)
        a, p = x.child(30, L3)
        a.close()
        print("accepted, closed unread: full", full(L3, 31))
        L4 = x.listen(83, 50, 1)
        a, p = x.child(40, L4)
        a.recv(9)
        a.close()
        print("accepted, closed read: full", full(L4, 41))
        x.send(40, 83, A, 1006, p["seq"] + 1)
        time.sleep(0.02)
        print("   then ACK: full", full(L4, 42))
        L5 = x.listen(84, 50, 1)
        a, p = x.child(50, L5)
        L5.setsockopt(IPPROTO_TCP, TFOQ, 2)
        print("qlen raised: full", full(L5, 51), full(L5, 52))
        L5.setsockopt(IPPROTO_TCP, TFOQ, 0)
        print("qlen 0: full", full(L5, 53), x.syn(54, 84, opts=TFO())["opts"][1:])
        # two slots: both reset at different times, each for 60 s
        t0 = time.time()
        r = []
        while time.time() - t0 < 62:
            r.append((round(time.time() - t0), full(L, 1000 + len(r))))
            if not r[-1][1]:
                break
            time.sleep(2)
        print("slot free again at", r[-1])

    both(f)


def t_migrate():
    "a reuseport group whose member leaves with a pending child"

    def f(x):
        sysw("ipv4/tcp_migrate_req", 1)
        pre = lambda s: (fo(1)(s), s.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1))
        first = lsock(80, 50, fam=x.fam, pre=pre)
        p = x.syn(1, 80)
        second = lsock(80, 50, fam=x.fam, pre=pre)
        n0 = nstat()
        first.close()
        print("closed", [y["fl"] for y in x.t.recv(0.1, 1)], q(second), ndiff(n0, nstat()))
        print("full", x.syn(2, 80)["ack"] == 1001)
        c, _ = second.accept()
        print("state", info(c)["state"], E(c.recv, 9))
        x.send(1, 80, A, 1006, p["seq"] + 1)
        time.sleep(0.02)
        print("after the ACK", info(c)["state"], "full", x.syn(3, 80)["ack"] == 1001, x.syn(4, 80)["ack"] == 1001)

    both(f)


def t_cookies():
    def f(x):
        L = x.listen(80)
        sysw("ipv4/tcp_syncookies", 2)
        n0 = nstat()
        p = x.syn(1, 80)
        print("syncookies=2: ack", p["ack"] - 1000, p["opts"][1:], ndiff(n0, nstat()))
        n0 = nstat()
        p = x.syn(2, 80, opts=TFO())
        print("request: ", p["opts"][1:], ndiff(n0, nstat()))
        sysw("ipv4/tcp_syncookies", 1)
        L2 = x.listen(81, 0)
        x.syn(3, 81, opts=b"")
        n0 = nstat()
        p = x.syn(4, 81)
        print("SYN queue full, cookies:", p["ack"] - 1000, p["opts"][1:], ndiff(n0, nstat()))
        sysw("ipv4/tcp_syncookies", 0)
        L3 = x.listen(82, 0, 10)
        x.syn(5, 82, opts=b"")
        n0 = nstat()
        p = x.syn(6, 82)
        print("SYN queue full, no cookies:", show(p), ndiff(n0, nstat()))
        L4 = x.listen(83, 0, 10)
        x.syn(7, 83)
        n0 = nstat()
        print("accept queue full:", show(x.syn(8, 83)), ndiff(n0, nstat()))
        a, _ = L4.accept()
        p = x.syn(9, 83, opts=b"")
        p2 = x.syn(10, 83, opts=b"")
        print("does a pending child count in the SYN queue of backlog 0?", p and p["fl"], p2 and p2["fl"])

    both(f)


def t_no_cookie():
    def f(x):
        for flags, so in ((0x203, 0), (3, 1), (0x201, 1), (1, 1)):
            sysw("ipv4/tcp_fastopen", flags)
            L = lsock(80 + so + flags, 50, fam=x.fam, pre=lambda s: (fo(5)(s), s.setsockopt(IPPROTO_TCP, 34, so)))
            r = []
            n0 = nstat()
            for i, (d, o) in enumerate(((b"", b""), (b"hi", b""), (b"", TFO()), (b"hi", TFO()), (b"hi", TFO(b"\1" * 8)), (b"hi", TFO(x.c)))):
                p = x.syn(1 + i, L.getsockname()[1], d, o)
                r.append((p["ack"] - 1000, p["opts"][1:]))
            print(hex(flags), "sockopt", so, r, q(L), ndiff(n0, nstat()))

    both(f)


def t_again():
    "what is in a SYN-ACK that is sent again"

    def f(x):
        L = x.listen(80, 50, 50)
        for opts, name in ((TFO(), "request"), (TFO(x.c), "cookie")):
            port = len(name)
            p = x.syn(port, 80, opts=opts)
            x.send(port, 80, S, 1000, opts=x.mss + opts, data=b"hello")
            print(name, "first", p["opts"][1:], "then", [(y["fl"], y["opts"][1:]) for y in x.t.recv(1.3, port)])
        sysw("ipv4/tcp_fastopen_key", "a0b1c2d3-00000000-11111111-22222222," + KEY)
        p = x.syn(50, 80)
        print("backup first", p["opts"][1:], "then", [(y["fl"], y["opts"][1:]) for y in x.t.recv(1.3, 50)])
        a, _ = L.accept()
        b, _ = L.accept()
        b.send(b"x" * 3000)
        print("two segments and more before the ACK", [(y["fl"], len(y["data"]), y["opts"]) for y in x.t.recv(1.3, 50)])

    both(f)


def t_icmp():
    t = Tun()
    sysw("ipv4/tcp_fastopen", 3)
    sysw("ipv4/tcp_fastopen_key", KEY)
    c = cookie(KEY)
    L = lsock(80, 50, pre=fo(50))
    for acc in (False, True):
        for typ, code in ((3, 1), (3, 3), (3, 13), (11, 0)):
            port = 100 + code + typ * 20 + acc
            t.send(port, 80, S, 1000, opts=MSS(1460) + TFO(c), data=b"hello")
            p = t.one(0.2, port)
            a = L.accept()[0] if acc else None
            inner = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + inet_aton("192.0.2.1") + inet_aton("192.0.2.2") + struct.pack("!HHI", 80, port, p["seq"])
            n0 = nstat()
            t.icmp(typ, code, inner)
            time.sleep(0.02)
            a = a or L.accept()[0]
            print("accepted" if acc else "waiting", typ, code, "state", info(a)["state"], ndiff(n0, nstat()), E(a.recv, 9), a.getsockopt(SOL_SOCKET, SO_ERROR))


def t_key_text():
    for text in (
        "1-2-3-4",
        "xyz",
        "1-2-3",
        "1-2-3-4-5",
        "00000000-00000000-00000000-0000000g",
        "",
        " 5-6-7-8",
        "5-6-7-8 ",
        "A-b-C-d",
        "0x1-2-3-4",
        "123456789-1-1-1",
        "1-2-3-4,5-6-7-8",
        "1-2-3-4, 5-6-7-8",
        "1-2-3-4,",
        ",1-2-3-4",
        "1-2-3-4,xyz",
        "1-2-3-4,5-6-7-8,9-a-b-c",
        "-1-2-3-4",
        "1-2--3-4",
        "00000000-00000000-00000000-00000000",
        "f" * 40,
        "00000001-00000002-00000003-000000045",
        "00000001-00000002-00000003-00000004,00000001-00000002-00000003-000000045",
    ):
        sysw("ipv4/tcp_fastopen_key", "e-e-e-e")
        print(repr(text), E(sysw, "ipv4/tcp_fastopen_key", text), sysr("ipv4/tcp_fastopen_key"))


def t_key_option():
    for fam in (AF_INET, AF_INET6):
        s = socket(fam, SOCK_STREAM)
        K = 33
        get = lambda n: E(s.getsockopt, IPPROTO_TCP, K, n)
        print("fresh", get(64), [E(s.setsockopt, IPPROTO_TCP, K, b"k" * n) for n in (0, 1, 15, 17, 31, 33, 48)])
        print("netns key", sysr("ipv4/tcp_fastopen_key"))
        print("16", E(s.setsockopt, IPPROTO_TCP, K, b"k" * 16), [get(n) for n in (64, 32, 16, 15, 0)])
        print("32", E(s.setsockopt, IPPROTO_TCP, K, b"k" * 16 + b"j" * 16), [get(n) for n in (64, 32, 31, 16, 4)])
        print("16 again", E(s.setsockopt, IPPROTO_TCP, K, b"l" * 16), get(64))
        s.listen(3)
        print("listener", E(s.setsockopt, IPPROTO_TCP, K, b"m" * 16), get(64), "netns key", sysr("ipv4/tcp_fastopen_key"))
        c = create_connection(s.getsockname()[:2])
        a, _ = s.accept()
        print("child", E(a.getsockopt, IPPROTO_TCP, K, 64), E(a.setsockopt, IPPROTO_TCP, K, b"n" * 16), E(a.getsockopt, IPPROTO_TCP, K, 64))
        print("no_cookie on child", E(a.setsockopt, IPPROTO_TCP, 34, 1), "on listener", E(s.setsockopt, IPPROTO_TCP, 34, 1), s.getsockopt(IPPROTO_TCP, 34))


if __name__ == "__main__":
    main(globals())
