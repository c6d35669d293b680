"""Which port bind(0), listen() and connect() choose, and which addresses bind takes."""
from harness import *

RANGE = "ipv4/ip_local_port_range"
RESERVED = "ipv4/ip_local_reserved_ports"
IP_LOCAL_PORT_RANGE = 51
FAMS = [(AF_INET, "0.0.0.0", "127.0.0.1"), (AF_INET6, "::", "::1")]


def each(f):
    "f for each family, in a namespace of its own"
    for x in FAMS:
        pid = os.fork()
        if pid == 0:
            enter()
            f(*x)
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(pid, 0)


def opts(fam, *names):
    s = socket(fam, SOCK_STREAM)
    for n in names:
        if n == "addr":
            s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        elif n == "port":
            s.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
        elif n == "noport":
            s.setsockopt(SOL_IP, 24, 1)
        elif isinstance(n, tuple):
            s.setsockopt(SOL_IP, IP_LOCAL_PORT_RANGE, struct.pack("I", n[0] | n[1] << 16))
    return s


def take(fam, how, n, *o, to=None):
    "ports that n sockets get, and the first error"
    keep, got = [], []
    for _ in range(n):
        s = opts(fam, *o)
        any_ = "0.0.0.0" if fam == AF_INET else "::"
        r = clisten(s.fileno(), 1) if how == "listen" else E(s.bind, (any_, 0)) if how == "bind" else E(s.connect, to)
        if r != "OK":
            got.append(r)
            s.close()
            break
        got.append(s.getsockname()[1])
        keep.append(s)
    return keep, got


def t_reuse_half():
    def ask(fam, any_, lo):
        sysw(RANGE, "40000 40099")
        for o in (("addr",), ("port",), ("addr", "port"), ()):
            k, g = take(fam, "bind", 25, *o)
            print(fam.name, o, "lower half, odd:", sum(p < 40050 for p in g), sum(p % 2 for p in g))
            k2, g2 = take(fam, "bind", 25, *o)
            print("   25 more: lower half, odd:", sum(p < 40050 for p in g2), sum(p % 2 for p in g2), "again", len(set(g) & set(g2)))
            k3, g3 = take(fam, "bind", 60, *o)
            print("   60 more: lower half:", sum(p < 40050 for p in g3 if p != "EADDRINUSE"), "last", g3[-1] if g3[-1] == "EADDRINUSE" else "a port", "count", len(g3))
            for s in k + k2 + k3:
                s.close()
        k, g = take(fam, "listen", 25, "addr")
        print(fam.name, "listen with addr: lower half, odd:", sum(p < 40050 for p in g), sum(p % 2 for p in g))
        for s in k:
            s.close()
        for r in ("40000 40000", "40000 40001", "40000 40002", "40000 40003", "40000 40004", "40000 40005", "40000 40006", "40000 40007", "40000 40008"):
            sysw(RANGE, r)
            first = set()
            for _ in range(40):
                s = opts(fam, "addr")
                s.bind((any_, 0))
                first.add(s.getsockname()[1] - 40000)
                s.close()
            print(fam.name, r, "first ports", sorted(first))

    sys.stdout.flush()
    each(ask)


def t_autobind_reuse():
    def ask(fam, any_, lo):
        sysw(RANGE, "40000 40003")
        for reuse in (0, 1):
            sysw("ipv4/ip_autobind_reuse", reuse)
            for o in (("addr",), ("port",), ("addr", "port"), ()):
                k, g = take(fam, "bind", 8, *o)
                print(fam.name, "reuse", reuse, o, "count", len(k), "distinct", len({s.getsockname()[1] for s in k}), "last", g[-1] if isinstance(g[-1], str) else "a port")
                print("   listens:", sorted(clisten(s.fileno(), 1) for s in k))
                for s in k:
                    s.close()
            # beside a listener of everything
            k, g = take(fam, "listen", 4, "addr")
            print(fam.name, "reuse", reuse, "all listening:", take(fam, "bind", 1, "addr")[1], take(fam, "listen", 1, "addr")[1])
            for s in k:
                s.close()
            L = lsock(7000, addr=any_, fam=fam)
            k, g = take(fam, "connect", 5, to=(lo, 7000))
            print(fam.name, "reuse", reuse, "connects", len(k), g[-1], "then bind(0) with addr:", [x if isinstance(x, str) else "a port" for x in take(fam, "bind", 1, "addr")[1]])
            for s in k:
                s.close()
            L.close()
        sysw("ipv4/ip_autobind_reuse", 0)

    sys.stdout.flush()
    each(ask)


def t_autobind_reuse_order():
    def ask(fam, any_, lo):
        sysw("ipv4/ip_autobind_reuse", 1)
        sysw(RANGE, "40000 40007")
        later = set()
        for _ in range(40):
            k, g = take(fam, "bind", 8, "addr")
            k2, g2 = take(fam, "bind", 1, "addr")
            later.add(g2[0] - 40000)
            for s in k + k2:
                s.close()
        print(fam.name, "first eight distinct", len(set(g)), "the ninth's distance", sorted(later))
        sysw(RANGE, "40000 40000")
        for a, b, uid in ((("addr",), ("addr", "port"), 0), (("addr", "port"), ("addr",), 0), (("addr", "port"), ("addr", "port"), 0), (("addr", "port"), ("addr", "port"), 1000), (("port",), ("port",), 1000), (("addr",), ("addr",), 1000)):
            s = opts(fam, *a)
            s.bind((any_, 0))
            os.seteuid(uid)
            t = opts(fam, *b)
            print(fam.name, a, b, "uid", uid, E(t.bind, (any_, 0)))
            os.seteuid(0)
            s.close()
            t.close()
        # TIME_WAIT of a listener with both
        for port, o in ((40000, ("addr",)), (40001, ("addr", "port")), (40002, ("port",))):
            L = lsock(port, addr=any_, fam=fam, pre=lambda s: [s.setsockopt(SOL_SOCKET, SO_REUSEPORT, int("port" in o)), s.setsockopt(SOL_SOCKET, SO_REUSEADDR, int("addr" in o))])
            sysw(RANGE, "41000 41100")
            c = socket(fam)
            c.connect((lo, port))
            d = L.accept()[0]
            d.close()
            time.sleep(0.01)
            c.close()
            L.close()
            sysw(RANGE, "%d %d" % (port, port))
            for b in (("addr",), ("addr", "port"), ("port",), ()):
                t = opts(fam, *b)
                print(fam.name, "TIME_WAIT of", o, "then", b, E(t.bind, (any_, 0)))
                t.close()

    sys.stdout.flush()
    each(ask)


def t_numbers():
    for k, vs in (
        ("core/somaxconn", ["7 8", "7x", "0x10", "010", "+5", " 5", "5 ", "5\n", "", " ", "\n", "5,6", "5\t6", "08", "0x", "1e3", "- 1", "-0", "99999999999999999999"]),
        ("ipv4/tcp_syncookies", ["2 9", "2x", "0x1", "01", "+1", " 1", "1 ", "", " ", "\n", "256", "-1"]),
        ("ipv4/tcp_rmem", ["5000", "5000 6000", "5000 6000 7000", "5000 6000 7000 8000", "5000 x", "5000 6000x", "0x1000 6000 7000", "", "0 1 1", "1 0 1", "9 5 7"]),
        ("ipv4/tcp_fin_timeout", ["7 8", "7x", "-1", "0x10", ""]),
        ("ipv4/ip_unprivileged_port_start", ["80 90", "0x50", ""]),
    ):
        old = sysr(k)
        for v in vs:
            sysw(k, old)
            print(k, repr(v), E(sysw, k, v), repr(sysr(k)))


def t_reserved_text():
    for v in ["8080,9148", "1,2,3", "3,2,1", "1-5,3-9", "5-3", "1-", "-5", "70000", "65535", "65536", "0", "0-1", "1,,2", ",1", "1,", "1 2", "1, 2", " 7", "7 ", "abc", "7x", "7-8x", "+7", "0x10", "010", "1-2-3", "1- 2", "1\n", "1,\n", "\n1", "1\n2", "1-3\n", "1-3,\n", "0-65535", "1-0x10", "00", "4\t5", "1\0002"]:
        sysw(RESERVED, "")
        r = E(sysw, RESERVED, v)
        print(repr(v), r, repr(sysr(RESERVED)))
    sysw(RESERVED, "10")
    print("empty", E(sysw, RESERVED, ""), repr(sysr(RESERVED)), "blank", E(sysw, RESERVED, " "), repr(sysr(RESERVED)), "newline", E(sysw, RESERVED, "\n"), repr(open("/proc/sys/net/" + RESERVED).read()))
    sysw(RESERVED, "10")
    print("bad keeps", E(sysw, RESERVED, "11,x"), repr(sysr(RESERVED)), "bad later", E(sysw, RESERVED, "12-14,20-19"), repr(sysr(RESERVED)))
    print("twice replaces", E(sysw, RESERVED, "30"), repr(sysr(RESERVED)))


def t_reserved():
    def ask(fam, any_, lo):
        sysw(RANGE, "40000 40009")
        sysw(RESERVED, "40001-40003,40006,50000")
        for o in ((), ("addr",), ((40000, 40009),), ((40001, 40003),)):
            k, g = take(fam, "listen", 11, *o)
            print(fam.name, o, "listen", sorted(p for p in g if p != "EADDRINUSE"), g[-1])
            for s in k:
                s.close()
            L = lsock(7000, addr=any_, fam=fam, backlog=50)
            k, g = take(fam, "connect", 11, *o, to=(lo, 7000))
            print(fam.name, o, "connect", sorted(p for p in g if isinstance(p, int)), g[-1])
            for s in k:
                s.close()
            L.close()
        print(fam.name, "explicit", E(opts(fam).bind, (any_, 40001)))
        sysw(RESERVED, "")

    sys.stdout.flush()
    each(ask)


def t_local_range():
    def ask(fam, any_, lo):
        sysw(RANGE, "40000 40999")
        for a, b in ((40100, 40104), (40100, 40105), (40101, 40104), (0, 40003), (40996, 0), (0, 0), (39990, 40003), (40996, 41005), (45000, 45004), (30000, 30004), (39000, 42000), (40500, 40500)):
            k, g = take(fam, "listen", 12, (a, b))
            ports = [p for p in g if isinstance(p, int)]
            inside = sorted(ports) if len(ports) < 12 else ["%d..%d" % (min(ports) // 1000 * 1000, 999 + max(ports) // 1000 * 1000)]
            print(fam.name, (a, b), "listen", inside, g[-1] if isinstance(g[-1], str) else "", "first two odd distances:", [(p - (a or 40000)) % 2 for p in ports[:2]])
            for s in k:
                s.close()
            L = lsock(7000, addr=any_, fam=fam, backlog=50)
            k, g = take(fam, "connect", 12, (a, b), to=(lo, 7000))
            ports = [p for p in g if isinstance(p, int)]
            inside = sorted(ports) if len(ports) < 12 else ["%d..%d" % (min(ports) // 1000 * 1000, 999 + max(ports) // 1000 * 1000)]
            print(fam.name, (a, b), "connect", inside, g[-1] if isinstance(g[-1], str) else "")
            for s in k:
                s.close()
            L.close()
        first = {"listen": set(), "bind": set(), "connect": set(), "bindaddr": set()}
        L = lsock(7000, addr=any_, fam=fam, backlog=500)
        for _ in range(40):
            for how in first:
                k, g = take(fam, how.replace("addr", ""), 1, (40200, 40207), *(["addr"] if "addr" in how else []), to=(lo, 7000))
                first[how].add(g[0] - 40200)
                k[0].setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                k[0].close()
        print(fam.name, "(40200, 40207) first distances", {k: sorted(v) for k, v in first.items()})
        # connect's choice with the option: in order from where, and both parities?
        firsts = {}
        for _ in range(60):
            s = opts(fam, (40300, 40309))
            s.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            s.connect((lo, 7000))
            p = s.getsockname()[1] - 40300
            firsts[p % 2] = firsts.get(p % 2, 0) + 1
            s.close()
        print(fam.name, "connect with ((40300, 40309),) parities seen", sorted(firsts))
        for o in ((), ((45000, 45004),), ((0, 40009),), ((40990, 0),), ((39000, 40009),), ((39000, 42000),)):
            firsts = set()
            for _ in range(60):
                s = opts(fam, *o)
                s.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                s.connect((lo, 7000))
                firsts.add(s.getsockname()[1] % 2)
                s.close()
            print(fam.name, "connect with", o, "parities seen", sorted(firsts))
        L.close()
        s = opts(fam)
        for v in (struct.pack("I", 0), struct.pack("H", 5), struct.pack("Q", 5), struct.pack("I", 500 | 400 << 16), struct.pack("I", 500), struct.pack("I", 400 << 16), struct.pack("I", 7 | 7 << 16)):
            print(fam.name, "set", v.hex(), E(s.setsockopt, SOL_IP, IP_LOCAL_PORT_RANGE, v), "get", s.getsockopt(SOL_IP, IP_LOCAL_PORT_RANGE))
        L = lsock(7001, addr=any_, fam=fam, pre=lambda s: s.setsockopt(SOL_IP, IP_LOCAL_PORT_RANGE, struct.pack("I", 5 | 6 << 16)))
        c = socket(fam)
        c.connect((lo, 7001))
        time.sleep(0.01)
        print(fam.name, "child has", hex(L.accept()[0].getsockopt(SOL_IP, IP_LOCAL_PORT_RANGE)))

    sys.stdout.flush()
    each(ask)


def t_no_port():
    def ask(fam, any_, lo):
        sysw(RANGE, "40000 40003")
        s = opts(fam, "noport")
        print(fam.name, "bind lo:0", E(s.bind, (lo, 0)), s.getsockname()[:2], "bind again", E(s.bind, (lo, 0)), "listen", clisten(s.fileno(), 1), s.getsockname()[0], s.getsockname()[1] in range(40000, 40004), "bind then", E(s.bind, (lo, 0)))
        s.close()
        s = opts(fam, "noport")
        print(fam.name, "bind lo:0", E(s.bind, (lo, 0)), "bind lo:7100", E(s.bind, (lo, 7100)), s.getsockname()[:2], "again", E(s.bind, (lo, 7101)))
        s.close()
        s = opts(fam, "noport")
        print(fam.name, "explicit port", E(s.bind, (lo, 7100)), s.getsockname()[:2], "option back", s.getsockopt(SOL_IP, 24))
        s.close()
        k = []
        r = []
        for _ in range(5):
            s = opts(fam, "noport")
            s.bind((lo, 0))
            r.append(clisten(s.fileno(), 1))
            k.append(s)
        print(fam.name, "five listens in a range of four", r)
        for s in k:
            s.close()
        L = [lsock(7000 + i, addr=any_, fam=fam, backlog=50) for i in (0, 1)]
        k = []
        for i in (0, 1):
            r = []
            for _ in range(5):
                s = opts(fam, "noport")
                s.bind((lo, 0))
                r.append(E(s.connect, (lo, 7000 + i)))
                k.append(s)
            print(fam.name, "connects to port", 7000 + i, r)
        for s in k:
            s.close()
        time.sleep(0.01)
        s = opts(fam, "noport")
        s.bind((lo, 0))
        libc.connect(s.fileno(), struct.pack("H14x", 0), 16)
        print(fam.name, "noport bound, AF_UNSPEC", s.getsockname()[:2])
        for s in k + L:
            s.close()

    sys.stdout.flush()
    each(ask)


def t_no_port_clash():
    def ask(fam, any_, lo):
        sysw(RANGE, "40000 40000")
        L = lsock(40000, addr=any_, fam=fam)
        s = opts(fam, "noport")
        print(fam.name, "only port listens: bind", E(s.bind, (lo, 0)), "listen", clisten(s.fileno(), 1), s.getsockname()[:2], "state", info(s)["state"])
        s = opts(fam)
        print(fam.name, "without: bind", E(s.bind, (lo, 0)))

    sys.stdout.flush()
    each(ask)


def t_addresses():
    t = Tun()
    for fam, addrs in (
        (AF_INET, ["203.0.113.9", "255.255.255.255", "192.0.2.255", "192.0.2.0", "224.0.0.1", "127.9.9.9", "0.0.0.0", "240.0.0.1", "0.0.0.1"]),
        (AF_INET6, ["2001:db8:9::9", "ff02::1", "fe80::1", "::1", "::", "::ffff:203.0.113.9", "::ffff:127.0.0.1", "::ffff:224.0.0.1", "::ffff:255.255.255.255", "::ffff:192.0.2.255", "::127.0.0.1", "2001:db8::"]),
    ):
        for a in addrs:
            row = []
            for how in ("plain", "IP_FREEBIND", "IPV6_FREEBIND", "v4 sysctl", "v6 sysctl"):
                s = socket(fam)
                if how == "IPV6_FREEBIND" and fam == AF_INET:
                    continue
                if how == "IP_FREEBIND":
                    s.setsockopt(SOL_IP, 15, 1)
                if how == "IPV6_FREEBIND":
                    s.setsockopt(IPPROTO_IPV6, 78, 1)
                sysw("ipv4/ip_nonlocal_bind", int(how == "v4 sysctl"))
                sysw("ipv6/ip_nonlocal_bind", int(how == "v6 sysctl"))
                b = E(s.bind, (a, 7200))
                row.append((how, b, clisten(s.fileno(), 1) if b == "OK" else "-"))
                s.close()
            print(fam.name, a, *row)
    sysw("ipv4/ip_nonlocal_bind", 0)
    sysw("ipv6/ip_nonlocal_bind", 0)
    for fam, a in ((AF_INET, "203.0.113.9"), (AF_INET6, "2001:db8:9::9")):
        s = socket(fam)
        s.setsockopt(SOL_IP, 15, 1)
        print(fam.name, "FREEBIND reads", s.getsockopt(SOL_IP, 15), "v6", fam == AF_INET6 and s.getsockopt(IPPROTO_IPV6, 78))
        s.bind((a, 0))
        print(fam.name, "FREEBIND bind(0): port?", s.getsockname()[1] != 0, "connect", E(s.connect, ("192.0.2.2" if fam == AF_INET else "2001:db8::2", 9)) if 0 else "")


def t_range_errors():
    for start in (1024, 0, 2000):
        sysw(RANGE, "32768 60999")
        sysw("ipv4/ip_unprivileged_port_start", start)
        for v in ["60000 50000", "0 0", "0 5", "1 65535", "1000 2000", "1024 2000", "1023 2000", "2000 2000", "65535 65535", "65536 65536", "5000", "5000 ", "5000 6000 7000", "5000,6000", "-1 5", "a b", "", " 5000 6000 ", "0x1388 6000", "05000 6000"]:
            sysw(RANGE, "32768 60999")
            print("start", start, repr(v), E(sysw, RANGE, v), repr(sysr(RANGE)))
    sysw("ipv4/ip_unprivileged_port_start", 1024)
    sysw(RANGE, "5000 6000")
    for v in ["0", "5000", "5001", "6000", "6001", "65535", "65536", "-1"]:
        print("range 5000 6000, ip_unprivileged_port_start", v, E(sysw, "ipv4/ip_unprivileged_port_start", v))


def t_ephemeral():
    def ask(fam, any_, lo):
        sysw(RANGE, "40000 40003")
        L = [lsock(7000 + i, addr=any_, fam=fam, backlog=50) for i in (0, 1)]
        k, g = take(fam, "connect", 6, to=(lo, 7000))
        print(fam.name, "to 7000", sorted(map(str, g)))
        k2, g2 = take(fam, "connect", 6, to=(lo, 7001))
        print(fam.name, "to 7001", sorted(map(str, g2)))
        print(fam.name, "listen", take(fam, "listen", 1)[1], "with addr", take(fam, "listen", 1, "addr")[1], "bind(0)", take(fam, "bind", 1)[1])
        s = opts(fam)
        print(fam.name, "explicit bind of a connecting port", E(s.bind, (any_, 40000)), "with addr", E(opts(fam, "addr").bind, (any_, 40000)), "at another address", E(opts(fam).bind, ("127.0.0.2", 40000)) if fam == AF_INET else "")

    sys.stdout.flush()
    each(ask)


def t_parity():
    def ask(fam, any_, lo):
        sysw(RANGE, "40000 40009")
        L = lsock(7000, addr=any_, fam=fam, backlog=50)
        for how, order in (("listen", "odd"), ("bind", "odd"), ("connect", "even")):
            k, g = take(fam, how, 11, to=(lo, 7000))
            print(fam.name, how, "first five odd:", sum(p % 2 for p in g[:5]), "next five odd:", sum(p % 2 for p in g[5:10]), g[10])
            for s in k:
                s.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                s.close()

    sys.stdout.flush()
    each(ask)


main(globals())
