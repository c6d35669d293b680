from harness import *


def t_states2():
    c = socket()
    c.bind(("127.0.0.1", 7001))
    print("explicit bound, refused", E(c.connect, ("127.0.0.1", 1)), "listen", clisten(c.fileno(), 5), c.getsockname())
    L = socket()
    L.bind(("127.0.0.1", 7002))
    L.listen(3)
    L.shutdown(SHUT_RD)
    print("explicit, SHUT_RD: other bind", E(socket().bind, ("127.0.0.1", 7002)), "relisten", clisten(L.fileno(), 3), L.getsockname())
    libc.connect(L.fileno(), struct.pack("H14x", 0), 16)
    print(
        "AF_UNSPEC: state",
        info(L)["state"],
        L.getsockname(),
        "other bind",
        E(socket().bind, ("127.0.0.1", 7002)),
        "listen",
        clisten(L.fileno(), 3),
        L.getsockname(),
    )
    L = socket()
    L.bind(("127.0.0.1", 0))
    n = L.getsockname()
    L.listen(3)
    L.shutdown(SHUT_RD)
    print(
        "bind(0), listen, SHUT_RD: name",
        L.getsockname() == n,
        "other bind to that port",
        E(socket().bind, n),
        "SO_REUSE..",
        "bind again",
        E(L.bind, ("127.0.0.1", 7003)),
        L.getsockname(),
    )
    # max_qlen preserved etc. accept queue after relisten
    L = socket()
    L.bind(("127.0.0.1", 7005))
    L.listen(3)
    c = socket()
    c.connect(("127.0.0.1", 7005))
    L.shutdown(SHUT_RD)
    print("pending child on SHUT_RD: client sees", E(c.recv, 1), "relisten", clisten(L.fileno(), 3), "q", q(L))
    # close in another thread / dup
    L = socket()
    L.bind(("127.0.0.1", 7006))
    L.listen(3)
    d = os.dup(L.fileno())
    L.close()
    print("dup keeps listening", E(socket().connect, ("127.0.0.1", 7006)))
    os.close(d)
    print("last close", E(socket().connect, ("127.0.0.1", 7006)))
    # blocked accept, shutdown from another thread
    L = socket()
    L.bind(("127.0.0.1", 7007))
    L.listen(3)
    r = []
    th = threading.Thread(target=lambda: r.append(E(L.accept)))
    th.start()
    time.sleep(0.1)
    L.shutdown(SHUT_RDWR)
    th.join(1)
    print("blocked accept + shutdown", r)
    L.listen(3)
    r = []
    th = threading.Thread(target=lambda: r.append(E(L.accept)), daemon=True)
    th.start()
    time.sleep(0.1)
    fd = L.fileno()
    os.close(fd)
    th.join(0.3)
    print(
        "blocked accept + close(fd) in other thread: returned?", not th.is_alive(), r, "still connectable", E(socket().connect, ("127.0.0.1", 7007))
    )
    th.join(0.3)
    print("  after connect", r and str(r[0])[:60])


def t_sysctl_bounds():
    for k, vs in [
        ("core/somaxconn", ["-1", "0", "2147483648", "abc"]),
        ("ipv4/tcp_max_syn_backlog", ["-1", "0"]),
        ("ipv4/tcp_syncookies", ["-1", "3", "2", "255", "256"]),
        ("ipv4/tcp_synack_retries", ["-1", "0", "255", "256"]),
        ("ipv4/tcp_abort_on_overflow", ["-1", "1", "2", "255", "256"]),
        ("ipv4/tcp_fastopen", ["-1", "0x603", "4096"]),
        ("ipv4/tcp_migrate_req", ["0", "1", "2"]),
        ("ipv4/ip_local_port_range", ["60000 50000", "0 0", "0 5", "1 65535", "1000 2000", "1 1"]),
        ("ipv4/ip_unprivileged_port_start", ["0", "65535", "65536"]),
        ("ipv4/tcp_syn_linear_timeouts", ["0", "127", "128"]),
        ("ipv4/tcp_rto_max_ms", ["999", "1000", "120000", "120001"]),
    ]:
        o = sysr(k)
        print(k, "default", o.split(), {v: E(sysw, k, v) for v in vs})
    sysw("ipv4/ip_local_port_range", "32768 60999")


def t_exhaust():
    sysw("ipv4/ip_unprivileged_port_start", 1024)
    sysw("ipv4/ip_local_port_range", "40000 40001")
    k = []
    r = []
    for i in range(3):
        s = socket()
        r.append((clisten(s.fileno(), 1), s.getsockname()[1]))
        k.append(s)
    print("2-port range listen", r)
    s = socket()
    s.bind(("127.0.0.1", 0)) if 0 else None
    for s in k:
        s.close()
    k = []
    r = []
    for i in range(4):
        s = socket()
        r.append((E(s.bind, ("127.0.0.%d" % (i + 1), 0)), s.getsockname()))
        k.append(s)
    print("bind(127.0.0.N,0) 2 ports: ", r)
    for s in k:
        s.close()
    k = []
    r = []
    for i in range(4):
        s = socket()
        s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        r.append((E(s.bind, ("", 0)), s.getsockname()[1]))
        k.append(s)
    print("REUSEADDR bind(0)", r)
    for s in k:
        s.close()
    sysw("ipv4/ip_autobind_reuse", 1)
    k = []
    r = []
    for i in range(4):
        s = socket()
        s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        r.append((E(s.bind, ("", 0)), s.getsockname()[1]))
        k.append(s)
    print("ip_autobind_reuse=1", r, [clisten(s.fileno(), 1) for s in k])


def t_bindtodev():
    sh("ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up; ip addr add 198.51.100.1/24 dev v0")
    B = lambda d: (lambda s: s.setsockopt(SOL_SOCKET, 25, d.encode() + b"\0"))

    def mk(d, addr="0.0.0.0", port=7100, reuse=0):
        s = socket()
        if reuse:
            s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        if d:
            B(d)(s)
        return s, E(s.bind, (addr, port))

    a, ra = mk("lo")
    b, rb = mk("v0")
    c, rc = mk("")
    print("bind same port dev lo, dev v0, nodev", ra, rb, rc)
    a.close()
    b.close()
    c.close()
    a, ra = mk("", reuse=1)
    b, rb = mk("lo", reuse=1)
    print("nodev+lo with REUSEADDR bind", ra, rb, "listen", clisten(a.fileno(), 1), clisten(b.fileno(), 1))
    a.close()
    b.close()
    # SO_REUSEPORT both
    L = []
    for d in ("", "lo"):
        s = socket()
        s.setsockopt(SOL_SOCKET, 15, 1)
        if d:
            B(d)(s)
        s.bind(("", 7101))
        s.listen(5)
        s.setblocking(0)
        L.append(s)
    c = socket()
    c.connect(("127.0.0.1", 7101))
    c2 = socket()
    c2.connect(("198.51.100.1", 7101))
    time.sleep(0.05)
    print("who gets: nodev", q(L[0]), "lo", q(L[1]))
    # specific addr vs wildcard; v4 vs v6 wildcard
    for s in L:
        s.close()
    W = lsock(7102, 5, pre=lambda s: s.setsockopt(SOL_SOCKET, 15, 1))
    X = lsock(7102, 5, "127.0.0.1", pre=lambda s: s.setsockopt(SOL_SOCKET, 15, 1))
    W6 = None
    W6 = socket(AF_INET6)
    W6.setsockopt(SOL_SOCKET, 15, 1)
    print("v6 dual reuseport", E(W6.bind, ("::", 7102)), clisten(W6.fileno(), 5))
    for i in range(6):
        c = socket()
        c.connect(("127.0.0.1", 7102))
    for i in range(6):
        c = socket()
        c.connect(("127.0.0.2", 7102))
    for i in range(6):
        c = socket(AF_INET6)
        c.connect(("::1", 7102))
    time.sleep(0.05)
    print("wild4", q(W), "127.0.0.1", q(X), "v6 dual", q(W6))
    # dev-bound wildcard vs address-specific
    W.close()
    X.close()
    W6.close()
    W = lsock(7103, 5, pre=lambda s: (s.setsockopt(SOL_SOCKET, 15, 1), B("lo")(s)))
    X = lsock(7103, 5, "127.0.0.1", pre=lambda s: s.setsockopt(SOL_SOCKET, 15, 1))
    c = socket()
    c.connect(("127.0.0.1", 7103))
    time.sleep(0.05)
    print("dev-bound wildcard", q(W), "addr-specific nodev", q(X))
    # accepted child bound dev?
    a, _ = X.accept()
    print("child SO_BINDTODEVICE", a.getsockopt(SOL_SOCKET, 25, 16))
    c = socket()
    c.connect(("127.0.0.2", 7103))
    time.sleep(0.05)
    a, _ = W.accept()
    print("child of dev-bound", a.getsockopt(SOL_SOCKET, 25, 16))
    # change after listen
    L = lsock(7104, 5)
    print("BINDTODEVICE on a listener", E(L.setsockopt, SOL_SOCKET, 25, b"v0\0"), "connect via lo", E(socket().connect, ("127.0.0.1", 7104)))
    if os.fork() == 0:
        os.setuid(1000)
        s = socket()
        print(
            "unpriv set dev",
            E(s.setsockopt, SOL_SOCKET, 25, b"lo\0"),
            "change",
            E(s.setsockopt, SOL_SOCKET, 25, b"v0\0"),
            "clear",
            E(s.setsockopt, SOL_SOCKET, 25, b"\0"),
        )
        sys.stdout.flush()
        os._exit(0)
    os.wait()
    print("nonexistent dev", E(socket().setsockopt, SOL_SOCKET, 25, b"nope\0"))
    print("v6 linklocal bind without scope", E(socket(AF_INET6).bind, ("fe80::1", 0)))


def t_v6():
    print("bindv6only", sysr("ipv6/bindv6only"))
    V = 26

    def mk(fam, addr, v6o=None, o="NONE", port=7200):
        s = socket(fam)
        if v6o is not None:
            s.setsockopt(IPPROTO_IPV6, V, v6o)
        if o in ("ADDR", "BOTH"):
            s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        if o in ("PORT", "BOTH"):
            s.setsockopt(SOL_SOCKET, 15, 1)
        return s, E(s.bind, (addr, port))

    ends = [
        (AF_INET, "0.0.0.0", None),
        (AF_INET, "127.0.0.1", None),
        (AF_INET6, "::", 0),
        (AF_INET6, "::", 1),
        (AF_INET6, "::1", 0),
        (AF_INET6, "::ffff:127.0.0.1", 0),
        (AF_INET6, "::ffff:0.0.0.0", 0),
    ]
    nm = lambda e: e[1] + ("" if e[2] is None else " v6only" if e[2] else " dual")
    import csv

    w = csv.writer(open("v6_matrix.csv", "w"))
    w.writerow(["A", "B", "opts", "bindB", "listenA", "listenB"])
    for o in ("NONE", "ADDR", "PORT"):
        for x in ends:
            row = []
            for y in ends:
                a, ra = mk(*x, o=o)
                b, rb = mk(*y, o=o)
                la = clisten(a.fileno(), 1)
                lb = clisten(b.fileno(), 1) if rb == "OK" else "-"
                w.writerow([nm(x), nm(y), o, rb, la, lb])
                row.append("%s/%s" % (rb.replace("EADDRINUSE", "INUSE"), lb.replace("EADDRINUSE", "INUSE")))
                a.close()
                b.close()
            print(o, "%-24s" % nm(x), row)
    s, r = mk(AF_INET6, "::")
    print("V6ONLY after bind", E(s.setsockopt, IPPROTO_IPV6, V, 1))
    s.close()
    s, r = mk(AF_INET6, "::ffff:127.0.0.1", 1)
    print("bind mapped on v6only", r)
    sysw("ipv6/bindv6only", 1)
    s = socket(AF_INET6)
    print("bindv6only=1 ->", s.getsockopt(IPPROTO_IPV6, V))
    sysw("ipv6/bindv6only", 0)
    L = socket(AF_INET6)
    L.bind(("::", 7201))
    L.listen(5)
    c = socket()
    c.connect(("127.0.0.1", 7201))
    a, pa = L.accept()
    print(
        "mapped accept", pa, a.getsockname(), a.family, "v6only", a.getsockopt(IPPROTO_IPV6, V), "IP_TTL on it", E(a.getsockopt, IPPROTO_IP, IP_TTL)
    )
    print(open("/proc/net/tcp").read().count("\n"), open("/proc/net/tcp6").read())
    L2 = socket(AF_INET6)
    L2.setsockopt(IPPROTO_IPV6, V, 1)
    L2.bind(("::", 7202))
    L2.listen(5)
    print("v4 connect to v6only", E(socket().connect, ("127.0.0.1", 7202)))
    # autobind of both
    a = socket(AF_INET6)
    a.listen(1)
    p = a.getsockname()[1]
    print("dual autobind then v4 bind", E(socket().bind, ("", p)))


if __name__ == "__main__":
    main(globals())
