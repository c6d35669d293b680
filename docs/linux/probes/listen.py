from harness import *


def t_errno():
    print("bad -1", clisten(-1, 5), "999999", clisten(999999, 5))
    s = socket()
    fd = s.fileno()
    s.close()
    print("closed", clisten(fd, 5))
    f = os.open("/", os.O_PATH)
    print("O_PATH", clisten(f, 5))
    f = os.open("/dev/null", os.O_RDONLY)
    print("devnull", clisten(f, 5))
    r, w = os.pipe()
    print("pipe", clisten(r, 5))
    e = select.epoll()
    print("epoll", clisten(e.fileno(), 5))
    T = [
        ("inet dgram", AF_INET, SOCK_DGRAM, 0),
        ("inet6 dgram", AF_INET6, SOCK_DGRAM, 0),
        ("inet raw", AF_INET, SOCK_RAW, 6),
        ("inet6 raw", AF_INET6, SOCK_RAW, 6),
        ("udplite", AF_INET, SOCK_DGRAM, 136),
        ("packet", AF_PACKET, SOCK_RAW, 0),
        ("packet dgram", AF_PACKET, SOCK_DGRAM, 0),
        ("netlink", AF_NETLINK, SOCK_RAW, 0),
        ("unix dgram", AF_UNIX, SOCK_DGRAM, 0),
        ("unix stream", AF_UNIX, SOCK_STREAM, 0),
        ("unix seqpacket", AF_UNIX, SOCK_SEQPACKET, 0),
        ("tcp", AF_INET, SOCK_STREAM, 0),
        ("tcp6", AF_INET6, SOCK_STREAM, 0),
        ("mptcp", AF_INET, SOCK_STREAM, 262),
        ("mptcp6", AF_INET6, SOCK_STREAM, 262),
        ("vsock", 40, SOCK_STREAM, 0),
        ("alg", 38, SOCK_SEQPACKET, 0),
        ("inet stream icmp", AF_INET, SOCK_STREAM, 1),
        ("inet seqpacket", AF_INET, SOCK_SEQPACKET, 0),
        ("inet rdm", AF_INET, SOCK_RDM, 0),
    ]
    for n, a, b, c in T:
        try:
            s = socket(a, b, c)
        except OSError as e:
            print(n, "socket():", errno.errorcode[e.errno])
            continue
        print(n, clisten(s.fileno(), 5))
    a, b = socketpair()
    print("socketpair", clisten(a.fileno(), 5))
    sysw("ipv4/ping_group_range", "0 0")
    try:
        s = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)
        print("ping", clisten(s.fileno(), 5))
    except OSError as e:
        print("ping", e)


def t_states():
    L = lsock(0, 5)
    port = L.getsockname()[1]
    c = socket()
    c.connect(("127.0.0.1", port))
    print("connected", clisten(c.fileno(), 5))
    a, _ = L.accept()
    print("accepted", clisten(a.fileno(), 5))
    a.close()
    time.sleep(0.05)
    print("CLOSE_WAIT", clisten(c.fileno(), 5))
    c.shutdown(SHUT_WR)
    time.sleep(0.05)
    print("after both FIN (state", info(c)["state"], ")", clisten(c.fileno(), 5), "sockname", E(c.getsockname))
    print("connect(AF_UNSPEC)->", libc.connect(c.fileno(), struct.pack("H14x", 0), 16), "listen", clisten(c.fileno(), 5), c.getsockname()[1] != 0)
    # RST
    c = socket()
    c.connect(("127.0.0.1", port))
    a, _ = L.accept()
    a.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    a.close()
    time.sleep(0.05)
    print(
        "after RST received: state",
        info(c)["state"],
        "listen",
        clisten(c.fileno(), 5),
        "recv",
        E(c.recv, 1),
        "listen",
        clisten(c.fileno(), 5),
        "sockname",
        c.getsockname(),
    )
    c = socket()
    print(
        "refused",
        E(c.connect, ("127.0.0.1", 1)),
        "state",
        info(c)["state"],
        "name",
        c.getsockname(),
        "listen",
        clisten(c.fileno(), 5),
        c.getsockname(),
    )
    c = socket()
    c.bind(("127.0.0.1", 0))
    n = c.getsockname()
    print("bound refused", E(c.connect, ("127.0.0.1", 1)), c.getsockname() == n, "listen", clisten(c.fileno(), 5), c.getsockname() == n)
    t = Tun()
    c = socket()
    c.setblocking(0)
    print("in progress", E(c.connect, ("192.0.2.77", 9)), "listen", clisten(c.fileno(), 5))
    print(" shutdown SYN_SENT", E(c.shutdown, SHUT_RDWR), "listen", clisten(c.fileno(), 5), c.getsockname())
    # connect timed out by TCP_SYNCNT? use unreachable icmp
    c = socket()
    c.setblocking(0)
    E(c.connect, ("192.0.2.78", 9))
    p = t.one()
    t.icmp(3, 1, b"")
    # shutdown unconnected
    c = socket()
    print("shutdown fresh", E(c.shutdown, SHUT_RDWR), "listen", clisten(c.fileno(), 5))
    c = socket()
    c.bind(("", 0))
    print("shutdown bound", E(c.shutdown, SHUT_RD), "listen", clisten(c.fileno(), 5))
    L = socket()
    L.bind(("127.0.0.1", 0))
    n = L.getsockname()
    L.listen(3)
    print("listener SHUT_WR", E(L.shutdown, SHUT_WR), "state", info(L)["state"], "connect works", E(socket().connect, n))
    print(
        "listener SHUT_RD",
        E(L.shutdown, SHUT_RD),
        "state",
        info(L)["state"],
        "name same",
        L.getsockname() == n,
        "accept",
        E(L.accept),
        "acceptconn",
        L.getsockopt(SOL_SOCKET, 30),
        "connect",
        E(socket().connect, n),
    )
    print("re-listen", clisten(L.fileno(), 7), q(L), L.getsockname() == n, "connect", E(socket().connect, n))
    print("listener SHUT_RDWR", E(L.shutdown, SHUT_RDWR), "state", info(L)["state"], "second shutdown", E(L.shutdown, SHUT_RDWR))
    print("re-listen", clisten(L.fileno(), 7))
    L = socket()
    L.listen(3)
    n = L.getsockname()
    print("autobound", n, "SHUT_RD", E(L.shutdown, SHUT_RD), L.getsockname())
    print(" re-listen", clisten(L.fileno(), 3), L.getsockname(), "same port", L.getsockname() == n)
    L = socket()
    L.bind(("127.0.0.1", 0))
    n = L.getsockname()
    L.listen(3)
    print(
        "connect(AF_UNSPEC) on listener",
        libc.connect(L.fileno(), struct.pack("H14x", 0), 16),
        "state",
        info(L)["state"],
        L.getsockname(),
        "listen",
        clisten(L.fileno(), 5),
        L.getsockname(),
    )
    print("connect on listener", E(L.connect, ("127.0.0.1", 9)), "state", info(L)["state"])
    print(
        "bind on listener",
        E(L.bind, ("127.0.0.1", 0)),
        "send",
        E(L.send, b"x"),
        "recv",
        E(L.recv, 1),
        "peername",
        E(L.getpeername),
        "SO_ERROR",
        L.getsockopt(SOL_SOCKET, SO_ERROR),
        "sendto",
        E(L.sendto, b"x", ("127.0.0.1", 9)),
    )
    for nm, rq in (("SIOCINQ", 0x541B), ("SIOCOUTQ", 0x5411), ("SIOCATMARK", 0x8905), ("SIOCOUTQNSD", 0x894B)):
        try:
            print(nm, fcntl.ioctl(L.fileno(), rq, b"\0" * 4))
        except OSError as e:
            print(nm, errno.errorcode[e.errno])
    # SIGPIPE?


def t_autobind():
    sysw("ipv4/ip_local_port_range", "40000 40099")
    s = socket()
    print("v4", clisten(s.fileno(), 1), s.getsockname())
    s = socket(AF_INET6)
    print("v6", clisten(s.fileno(), 1), s.getsockname())
    par = [0, 0]
    ps = []
    keep = []
    for i in range(30):
        s = socket()
        s.listen(1)
        par[s.getsockname()[1] & 1] += 1
        keep.append(s)
    print("autobind listen parity even/odd", par)
    for k in keep:
        k.close()
    par = [0, 0]
    keep = []
    for i in range(30):
        s = socket()
        s.bind(("", 0))
        par[s.getsockname()[1] & 1] += 1
        keep.append(s)
    print("bind(0) parity even/odd", par)
    for k in keep:
        k.close()
    L = lsock(50000, 100)
    par = [0, 0]
    keep = []
    for i in range(30):
        s = socket()
        s.connect(("127.0.0.1", 50000))
        par[s.getsockname()[1] & 1] += 1
        keep.append(s)
    print("connect parity even/odd", par)
    for k in keep:
        k.close()
    sysw("ipv4/ip_local_port_range", "41000 41099")
    par = [0, 0]
    keep = []
    for i in range(30):
        s = socket()
        s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        s.bind(("", 0))
        par[0 if s.getsockname()[1] < 41050 else 1] += 1
        keep.append(s)
    print("bind(0)+REUSEADDR lower/upper half of range", par)
    for k in keep:
        k.close()
    sysw("ipv4/ip_local_port_range", "40000 40001")
    k = []
    r = []
    for i in range(4):
        s = socket()
        r.append(clisten(s.fileno(), 1))
        k.append(s)
    print("exhaust 2-port range", r)
    for s in k:
        s.close()
    k = []
    r = []
    for i in range(4):
        s = socket()
        s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        r.append((E(s.bind, ("", 0)), s.getsockname()[1]))
        k.append(s)
    print("REUSEADDR bind(0) exhaustion", r)
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
    print("ip_autobind_reuse=1 REUSEADDR bind(0)", r, [clisten(s.fileno(), 1) for s in k])
    sysw("ipv4/ip_autobind_reuse", 0)
    for s in k:
        s.close()
    sysw("ipv4/ip_local_port_range", "42000 42009")
    sysw("ipv4/ip_local_reserved_ports", "42000-42007")
    print("reserved", sorted(set((lambda s: (s.listen(1), s.getsockname()[1])[1])(socket()) for i in range(20))))
    print(" explicit bind to a reserved port", E(socket().bind, ("", 42001)))
    sysw("ipv4/ip_local_reserved_ports", "")
    sysw("ipv4/ip_local_port_range", "32768 60999")
    s = socket()
    s.setsockopt(IPPROTO_IP, 51, struct.pack("I", 45010 << 16 | 45000))
    ps = set()
    for i in range(20):
        s = socket()
        s.setsockopt(IPPROTO_IP, 51, struct.pack("I", 45004 << 16 | 45000))
        s.listen(1)
        ps.add(s.getsockname()[1])
        s.close()
    print("IP_LOCAL_PORT_RANGE 45000-45004 listen", sorted(ps))
    s = socket()
    s.setsockopt(IPPROTO_IP, 24, 1)
    s.bind(("127.0.0.1", 0))
    print("IP_BIND_ADDRESS_NO_PORT", s.getsockname(), clisten(s.fileno(), 1), s.getsockname())
    print("port_range bad", [E(sysw, "ipv4/ip_local_port_range", x) for x in ("60000 50000", "0 0", "1 65535", "1000 2000")])
    sysw("ipv4/ip_unprivileged_port_start", 1024)
    if os.fork() == 0:
        os.setgid(1000)
        os.setuid(1000)
        s = socket()
        print("unpriv bind 80", E(s.bind, ("", 80)), "bind 1023", E(s.bind, ("", 1023)), "bind 1024", E(s.bind, ("", 1024)))
        os._exit(0)
    os.wait()
    print(
        "bind nonlocal",
        E(socket().bind, ("203.0.113.1", 0)),
        "bcast",
        E(socket().bind, ("255.255.255.255", 0)),
        "mcast",
        E(socket().bind, ("224.0.0.1", 0)),
        "127.255.255.254",
        E(socket().bind, ("127.1.2.3", 0)),
    )
    s = socket()
    s.setsockopt(IPPROTO_IP, 15, 1)
    print("freebind nonlocal", E(s.bind, ("203.0.113.1", 0)), clisten(s.fileno(), 1), s.getsockname())


def t_backlog():
    print("default somaxconn", sysr("core/somaxconn"))
    for smc in (4096, 128, 0, 2147483647):
        print("set somaxconn", smc, E(sysw, "core/somaxconn", smc))
        r = []
        for b in (0, 1, 5, 127, 128, 129, 4096, 4097, 65535, 65536, 1000000, -1, -2147483648, 2147483647):
            s = socket()
            clisten(s.fileno(), b)
            r.append((b, q(s)[1]))
            s.close()
        print(" backlog->Send-Q", r)
    print("somaxconn -1", E(sysw, "core/somaxconn", -1), "2^31", E(sysw, "core/somaxconn", 2**31))
    sysw("core/somaxconn", 128)
    s = socket()
    s.listen(1000)
    print("listen 1000 @128", q(s))
    sysw("core/somaxconn", 4096)
    print("raise somaxconn later", q(s))
    print("relisten", clisten(s.fileno(), 1000), q(s))
    sysw("core/somaxconn", 16)
    print("lower later", q(s), clisten(s.fileno(), -1), q(s))


def t_dup():
    for o in ("ADDR", "PORT", "BOTH", "NONE"):

        def mk(addr="127.0.0.1", port=0, o=o):
            s = socket()
            if o in ("ADDR", "BOTH"):
                s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
            if o in ("PORT", "BOTH"):
                s.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
            return s, E(s.bind, (addr, port))

        a, ra = mk()
        p = a.getsockname()[1]
        b, rb = mk(port=p)
        c, rc = mk("0.0.0.0", p)
        print(
            o,
            "bind a,b same; c any:",
            ra,
            rb,
            rc,
            "| listen a",
            clisten(a.fileno(), 1),
            "b",
            clisten(b.fileno(), 1) if rb == "OK" else "-",
            "c",
            clisten(c.fileno(), 1) if rc == "OK" else "-",
            "| new bind while listening",
            mk(port=p)[1],
            mk("0.0.0.0", p)[1],
            mk("127.0.0.2", p)[1],
        )
        if rb == "OK":
            print("   b state", info(b)["state"], b.getsockname(), "after a.close():", (a.close(), clisten(b.fileno(), 1))[1])
    # reuse changed after bind
    a = socket()
    a.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    a.bind(("127.0.0.1", 0))
    p = a.getsockname()
    b = socket()
    b.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    b.bind(p)
    b.setsockopt(SOL_SOCKET, SO_REUSEADDR, 0)
    print("b clears REUSEADDR then listens while a only bound", clisten(b.fileno(), 1))
    print(" a listens now", clisten(a.fileno(), 1))
    a = socket()
    a.bind(("127.0.0.1", 0))
    p = a.getsockname()
    a.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
    a.listen(1)
    b = socket()
    b.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
    print("REUSEPORT set on a after bind, then b binds", E(b.bind, p), clisten(b.fileno(), 1))
    # listening socket with a bound nonlistening conflicting w/o reuse on other
    # different uid reuseport
    a = socket()
    a.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
    a.bind(("127.0.0.1", 0))
    p = a.getsockname()
    a.listen(1)
    if os.fork() == 0:
        os.setuid(1000)
        b = socket()
        b.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
        print("other uid REUSEPORT bind", E(b.bind, p))
        b.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        print(" + REUSEADDR", E(b.bind, p))
        sys.stdout.flush()
        os._exit(0)
    os.wait()
    # TIME_WAIT
    L = lsock(0, 5)
    p = L.getsockname()[1]
    c = socket()
    c.connect(("127.0.0.1", p))
    L.setblocking(1)
    a, _ = L.accept()
    a.close()
    time.sleep(0.05)
    c.close()
    time.sleep(0.05)
    L.close()
    print(sh("ss -tan state time-wait | cat").strip().replace("\n", " / "))
    s = socket()
    print("bind over TIME_WAIT no reuse", E(s.bind, ("", p)))
    s = socket()
    s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    print("bind over TIME_WAIT reuse", E(s.bind, ("", p)), clisten(s.fileno(), 1))
    s = socket()
    s.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
    s.close()
    # established child still open, listener closed, rebind
    L = lsock(0, 5)
    p = L.getsockname()[1]
    c = socket()
    c.connect(("127.0.0.1", p))
    L.setblocking(1)
    a, _ = L.accept()
    L.close()
    s = socket()
    print("rebind with live child: none", E(s.bind, ("", p)))
    s = socket()
    s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    print(" reuse", E(s.bind, ("", p)), clisten(s.fileno(), 1))
    s.close()

    def pre(s):
        s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 0)

    L = lsock(0, 5, pre=pre)
    p = L.getsockname()[1]
    c = socket()
    c.connect(("127.0.0.1", p))
    L.setblocking(1)
    a, _ = L.accept()
    L.close()
    s = socket()
    s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    print("rebind REUSEADDR, child of a non-reuse listener", E(s.bind, ("", p)))
    # connected client socket on same port


if __name__ == "__main__":
    main(globals())
