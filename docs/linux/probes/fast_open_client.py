from harness import *

# The client's side of Fast Open: the TUN plays the server.
FASTOPEN, CONNECT, NO_COOKIE = 0x20000000, 30, 34
C = b"cookie!!"


class Side:
    def __init__(s, v6):
        s.v6 = v6
        s.t = Tun()
        s.fam = AF_INET6 if v6 else AF_INET
        s.ip = "2001:db8::2" if v6 else "192.0.2.2"
        s.mss = MSS(1440 if v6 else 1460)

    def sock(s, nb=True, **o):
        k = socket(s.fam, SOCK_STREAM)
        k.setblocking(not nb)
        return k

    def to(s, port):
        return (s.ip, port)

    def syn(s, port=None, t=0.2):
        for p in s.t.recv(t):
            if p["fl"].startswith("S") and (port is None or p["sport"] == port or p["dport"] == port):
                return p

    def answer(s, p, acked, opts=b""):
        s.t.send(p["dport"], p["sport"], S | A, 5000, p["seq"] + 1 + acked, opts=s.mss + opts, v6=s.v6)
        return s.t.recv(0.1)

    def learn(s, port=9000):
        k = s.sock()
        E(k.sendto, b"x", FASTOPEN, s.to(port))
        p = s.syn(port)
        s.answer(p, 0, TFO(C))
        k.close()
        s.t.recv(0.05)


def sh1(p):
    return p and (p["fl"], [o for o in p["opts"] if o[0] in ("TFO", 254, "MSS")], p["data"])


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


def state(k):
    i = k.getsockopt(IPPROTO_TCP, TCP_INFO, 104)
    return (i[0], bin(i[5] & 0xA0), i[7] >> 1 & 3)


def t_flags():
    def f(x):
        for fl in (0, 1, 2, 4, 5):
            sysw("ipv4/tcp_fastopen", fl)
            k = x.sock()
            n0 = nstat()
            r = E(k.sendto, b"hello", FASTOPEN, x.to(100 + fl))
            print(hex(fl), r, sh1(x.syn()), state(k), "set CONNECT", E(k.setsockopt, IPPROTO_TCP, CONNECT, 1), E(x.sock().setsockopt, IPPROTO_TCP, CONNECT, 1), ndiff(n0, nstat()))

    both(f)


def t_request():
    def f(x):
        k = x.sock()
        n0 = nstat()
        r = E(k.sendto, b"hello", FASTOPEN, x.to(80))
        p = x.syn()
        print("no cookie:", r, show(p), state(k))
        print("again:", E(k.sendto, b"hello", FASTOPEN, x.to(80)), E(k.send, b"hello"), E(k.connect, x.to(80)))
        print("answer", show(x.answer(p, 0, TFO(C))), state(k), ndiff(n0, nstat()))
        print("then", E(k.sendto, b"hello", FASTOPEN, x.to(80)), show(x.t.recv(0.05)))
        for acked, opts, name in ((5, b"", "all"), (0, b"", "nothing"), (3, b"", "three"), (0, TFO(b"other***"), "nothing, new cookie")):
            k = x.sock()
            n0 = nstat()
            r = E(k.sendto, b"hello", FASTOPEN, x.to(80))
            p = x.syn()
            s0 = state(k)
            print(name, r, sh1(p), s0, "win", p["win"], [(y["fl"], y["seq"] - p["seq"], y["ack"], len(y["data"])) for y in x.answer(p, acked, opts)], state(k), ndiff(n0, nstat()), flush=True)
        k = x.sock()
        E(k.sendto, b"z", FASTOPEN, x.to(81))
        print("other port, same host", sh1(x.syn()))
        for n in (0, 1400, 1460, 3000, 20000):
            k = x.sock()
            r = E(k.sendto, b"y" * n, FASTOPEN, x.to(82))
            p = x.syn()
            q = x.answer(p, len(p["data"]))
            print("bytes", n, r, "in the SYN", len(p["data"]), "then", [(y["fl"], y["seq"] - p["seq"], len(y["data"])) for y in q])

    both(f)


def t_lost():
    def f(x):
        x.learn()
        k = x.sock()
        n0 = nstat()
        r = E(k.sendto, b"hello", FASTOPEN, x.to(80))
        p = x.syn()
        r2 = x.t.recv(1.3)
        print("sent again:", [(sh1(y)) for y in r2], ndiff(n0, nstat()), state(k))
        print("answer", [(y["fl"], y["seq"] - p["seq"], len(y["data"])) for y in x.answer(p, 0)], ndiff(n0, nstat()), state(k))
        k2 = x.sock()
        E(k2.sendto, b"hello", FASTOPEN, x.to(80))
        print("next", sh1(x.syn()))
        k3 = x.sock()
        n0 = nstat()
        E(k3.sendto, b"hello", FASTOPEN, x.to(83))
        p = x.syn()
        x.t.send(83, p["sport"], R | A, 0, p["seq"] + 6, v6=x.v6)
        time.sleep(0.02)
        print("RST", state(k3), E(k3.send, b"z"), ndiff(n0, nstat()))

    both(f)


def t_connect():
    def f(x):
        for known in (False, True):
            if known:
                x.learn()
            k = x.sock()
            print("known", known, "set", E(k.setsockopt, IPPROTO_TCP, CONNECT, 1), k.getsockopt(IPPROTO_TCP, CONNECT))
            n0 = nstat()
            print("   connect", E(k.connect, x.to(80)), sh1(x.syn(t=0.05)), state(k), E(k.getpeername), "poll", end=" ")
            pl = select.poll()
            pl.register(k, 0x2FFF)
            print([hex(e[1]) for e in pl.poll(0)], "again", E(k.connect, x.to(80)), "recv", E(k.recv, 1))
            k = x.sock()
            k.setsockopt(IPPROTO_TCP, CONNECT, 1)
            E(k.connect, x.to(84))
            p0 = x.syn(t=0.05)
            r = E(k.send, b"hello")
            p = x.syn(t=0.05) or p0
            print("   send", r, sh1(p), [(y["fl"], len(y["data"])) for y in x.answer(p, len(p["data"]))], state(k), E(k.send, b"more"), ndiff(n0, nstat()))

    both(f)


def t_no_cookie():
    def f(x):
        k = x.sock()
        k.setsockopt(IPPROTO_TCP, NO_COOKIE, 1)
        n0 = nstat()
        r = E(k.sendto, b"hello", FASTOPEN, x.to(80))
        p = x.syn()
        print("option:", r, sh1(p), show(x.answer(p, 5)), state(k), ndiff(n0, nstat()))
        sysw("ipv4/tcp_fastopen", 5)
        k = x.sock()
        r = E(k.sendto, b"hello", FASTOPEN, x.to(81))
        p = x.syn()
        print("flag 4:", r, sh1(p), show(x.answer(p, 5)), state(k))

    both(f)


def t_blocking():
    def f(x):
        res = []

        def call(k, port):
            res.append(E(k.sendto, b"hello", FASTOPEN, x.to(port)))

        k = x.sock(False)
        th = threading.Thread(target=call, args=(k, 80), daemon=True)
        th.start()
        p = x.syn()
        print("blocks", not res, sh1(p), [(y["fl"], len(y["data"])) for y in x.answer(p, 0, TFO(C))])
        th.join(1)
        print("gives", res, state(k))
        k = x.sock(False)
        print("with a cookie", E(k.sendto, b"hello", FASTOPEN, x.to(80)), sh1(x.syn()), state(k))

    both(f)


def t_errors():
    def f(x):
        k = x.sock()
        print("no address", E(k.send, b"hello", FASTOPEN), "short", E(lambda: libc.sendto(k.fileno(), b"hello", 5, FASTOPEN, b"\2\0\0\0", 4)), ctypes.get_errno())
        L = lsock(90, 5, fam=x.fam)
        print("listener", E(L.sendto, b"hello", FASTOPEN, x.to(80)))
        for fam in (0, 99):
            ctypes.set_errno(0)
            r = libc.sendto(k.fileno(), b"hello", 5, FASTOPEN, struct.pack("<H14x", fam), 28 if x.v6 else 16)
            print("family", fam, r, errno.errorcode.get(ctypes.get_errno()))

    both(f)


if __name__ == "__main__":
    main(globals())
