from harness import *
from syn_ack_and_queues import hs, DO
from half_open_and_close import ackof


def cacc(fd, addr=None, ln=None, flags=None):
    ctypes.set_errno(0)
    r = libc.accept4(fd, addr, ln, ctypes.c_int(flags)) if flags is not None else libc.accept(fd, addr, ln)
    return r if r >= 0 else errno.errorcode[ctypes.get_errno()]


def pair(L):
    c = socket()
    c.connect(L.getsockname())
    return c


def t_accept_err():
    print(
        "accept -1",
        cacc(-1),
        "devnull",
        cacc(os.open("/dev/null", 0)),
        "unbound tcp",
        cacc(socket().fileno()),
        "bound not listening",
        (lambda s: (s.bind(("127.0.0.1", 0)), cacc(s.fileno()))[1])(socket()),
        "udp",
        cacc(socket(AF_INET, SOCK_DGRAM).fileno()),
        "O_PATH",
        cacc(os.open("/", os.O_PATH)),
        "unix dgram",
        cacc(socket(AF_UNIX, SOCK_DGRAM).fileno()),
    )
    L = socket()
    L.bind(("127.0.0.1", 0))
    L.listen(5)
    c = pair(L)
    print("connected sock", cacc(c.fileno()))
    print(
        "flags bad",
        cacc(L.fileno(), flags=1),
        "flags bad + bad fd",
        cacc(-1, flags=1),
        "O_APPEND",
        cacc(L.fileno(), flags=os.O_APPEND),
        "queue intact",
        q(L),
    )
    f = cacc(L.fileno(), flags=SOCK_NONBLOCK | SOCK_CLOEXEC)
    print("accept4 NB|CX: O_NONBLOCK", bool(fcntl.fcntl(f, fcntl.F_GETFL) & os.O_NONBLOCK), "CLOEXEC", fcntl.fcntl(f, fcntl.F_GETFD))
    L.setblocking(0)
    c = pair(L)
    time.sleep(0.02)
    f = cacc(L.fileno())
    print(
        "listener nonblocking, accept: child O_NONBLOCK",
        bool(fcntl.fcntl(f, fcntl.F_GETFL) & os.O_NONBLOCK),
        "CLOEXEC",
        fcntl.fcntl(f, fcntl.F_GETFD),
    )
    print("empty nonblocking", cacc(L.fileno()), "accept4(SOCK_NONBLOCK) on blocking listener blocks? ", end="")
    L.setblocking(1)
    L.settimeout(None)
    signal.signal(signal.SIGALRM, lambda *a: None)
    signal.siginterrupt(signal.SIGALRM, True)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    t0 = time.time()
    print(cacc(L.fileno(), flags=SOCK_NONBLOCK), round(time.time() - t0, 1))
    # EINTR vs SA_RESTART, RCVTIMEO
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    t0 = time.time()
    print("no SA_RESTART", cacc(L.fileno()), round(time.time() - t0, 1))
    signal.siginterrupt(signal.SIGALRM, False)
    th = threading.Timer(0.6, lambda: pair(L))
    th.start()
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    t0 = time.time()
    print("SA_RESTART: returns", cacc(L.fileno()) > 0, round(time.time() - t0, 1))
    L.setsockopt(SOL_SOCKET, SO_RCVTIMEO, struct.pack("qq", 0, 500000))
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    t0 = time.time()
    print("SA_RESTART + SO_RCVTIMEO", cacc(L.fileno()), round(time.time() - t0, 1))
    t0 = time.time()
    print("SO_RCVTIMEO 0.5", cacc(L.fileno()), round(time.time() - t0, 1))
    L.setsockopt(SOL_SOCKET, SO_RCVTIMEO, struct.pack("qq", 0, 0))
    # EFAULT consumes
    c = pair(L)
    time.sleep(0.02)
    ln = ctypes.c_int(16)
    print("EFAULT addr", cacc(L.fileno(), ctypes.c_void_p(8), ctypes.byref(ln)), "q after", q(L), "client sees", E(c.recv, 1))
    c = pair(L)
    time.sleep(0.02)
    b = ctypes.create_string_buffer(64)
    print("addr ok, len NULL", cacc(L.fileno(), b, None), "q", q(L))
    c = pair(L)
    time.sleep(0.02)
    ln = ctypes.c_int(-1)
    print("len -1", cacc(L.fileno(), b, ctypes.byref(ln)), "q", q(L))
    c = pair(L)
    time.sleep(0.02)
    ln = ctypes.c_int(4)
    b = ctypes.create_string_buffer(b"\xaa" * 64, 64)
    r = cacc(L.fileno(), b, ctypes.byref(ln))
    print("len 4: ret fd", r > 0, "len out", ln.value, b.raw[:8].hex())
    c = pair(L)
    time.sleep(0.02)
    ln = ctypes.c_int(0)
    r = cacc(L.fileno(), b, ctypes.byref(ln))
    print("len 0: ok", r > 0, "len out", ln.value)
    c = pair(L)
    time.sleep(0.02)
    ln = ctypes.c_int(100)
    r = cacc(L.fileno(), b, ctypes.byref(ln))
    print("len 100: len out", ln.value)
    c = pair(L)
    time.sleep(0.02)
    r = cacc(L.fileno(), None, ctypes.c_void_p(8))
    print("addr NULL, bad len ptr ignored", r if isinstance(r, str) else "ok")
    import resource

    c = pair(L)
    time.sleep(0.02)
    o = resource.getrlimit(resource.RLIMIT_NOFILE)
    n = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, o[1]))
    r = cacc(L.fileno())
    resource.setrlimit(resource.RLIMIT_NOFILE, o)
    print("EMFILE", r, "q kept", q(L))
    cacc(L.fileno())
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, o[1]))
    L.setblocking(0)
    r = cacc(L.fileno())
    resource.setrlimit(resource.RLIMIT_NOFILE, o)
    print("EMFILE beats EAGAIN:", r)
    u = socket()
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, o[1]))
    r = cacc(u.fileno())
    resource.setrlimit(resource.RLIMIT_NOFILE, o)
    print("EMFILE beats EINVAL:", r)
    fl = fcntl.fcntl(L.fileno(), fcntl.F_GETFL)


def t_wake():
    # thundering: N blocked accepts, one connection
    L = socket()
    L.bind(("127.0.0.1", 0))
    L.listen(50)
    r = []
    ths = [threading.Thread(target=lambda i=i: (r.append((i, L.accept()[0]))), daemon=True) for i in range(4)]
    for x in ths:
        x.start()
        time.sleep(0.03)
    pair(L)
    time.sleep(0.1)
    print("4 blocked accepts, 1 conn: woken", [i for i, _ in r])
    pair(L)
    pair(L)
    pair(L)
    time.sleep(0.1)
    print(" then order", [i for i, _ in r], "(FIFO?)")
    # order of accept = order of handshake completion
    L2 = socket()
    L2.bind(("127.0.0.1", 0))
    L2.listen(50)
    cs = [pair(L2) for i in range(5)]
    print("FIFO accept", [L2.accept()[1] == c.getsockname() for c in cs])
    # epoll
    L2.setblocking(0)
    ep = select.epoll()
    ep.register(L2, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET | select.EPOLLRDHUP)
    print("epoll ET empty", ep.poll(0))
    pair(L2)
    time.sleep(0.02)
    print("1 conn", ep.poll(0), "again w/o accept", ep.poll(0))
    pair(L2)
    time.sleep(0.02)
    print("2nd conn", ep.poll(0))
    L2.accept()
    print("after 1 of 2 accepted", ep.poll(0))
    po = select.poll()
    po.register(L2, 0xFFFF)
    print("poll with one queued", po.poll(0)[0][1:])
    L2.accept()
    print("poll empty", po.poll(0))
    f = socket()
    pf = select.poll()
    pf.register(f, 0xFFFF)
    print("fresh socket poll", hex(pf.poll(0)[0][1]))
    f.bind(("127.0.0.1", 0))
    print("bound", hex(pf.poll(0)[0][1]))
    L2.shutdown(SHUT_RD)
    print("listener after SHUT_RD poll", hex(po.poll(0)[0][1]), "epoll ET", ep.poll(0))
    L3 = socket()
    L3.bind(("127.0.0.1", 0))
    L3.listen(5)
    pl = select.poll()
    pl.register(L3, select.POLLIN)
    c = pair(L3)
    time.sleep(0.02)
    c.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
    time.sleep(0.02)
    print("queued child was RST: still readable", pl.poll(0) != [], q(L3), "accept blocks?", L3.accept()[1] != None)
    # exclusive
    L4 = socket()
    L4.bind(("127.0.0.1", 0))
    L4.listen(50)
    eps = [select.epoll() for _ in range(3)]
    for e in eps:
        e.register(L4, select.EPOLLIN | select.EPOLLEXCLUSIVE)
    w = []
    tt = [threading.Thread(target=lambda i=i: (w.append(i) if eps[i].poll(1) else None)) for i in range(3)]
    for x in tt:
        x.start()
    time.sleep(0.1)
    pair(L4)
    time.sleep(0.3)
    print("EPOLLEXCLUSIVE 3 waiters, 1 conn: woken", w)
    [x.join() for x in tt]
    # async SIGIO
    got = []
    signal.signal(signal.SIGIO, lambda s, f: got.append(s))
    fcntl.fcntl(L4, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(L4, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    pair(L4)
    time.sleep(0.1)
    print("O_ASYNC SIGIO on new conn", len(got))
    a, _ = L4.accept()
    print(" child O_ASYNC", bool(fcntl.fcntl(a, fcntl.F_GETFL) & os.O_ASYNC), "owner", fcntl.fcntl(a, fcntl.F_GETOWN))
    # connection at SYN (half-open) not readable
    t = Tun()
    L5 = lsock(80, 5)
    pl = select.poll()
    pl.register(L5, select.POLLIN)
    p = hs(t, 80, 1, ack=False)
    print("half-open: poll", pl.poll(0))
    ackof(t, 1, 80, p)
    time.sleep(0.02)
    print("established: poll", pl.poll(0) != [])


def t_proc():
    t = Tun()
    L = lsock(80, 5)
    hs(t, 80, 1)
    hs(t, 80, 2)
    hs(t, 80, 3, ack=False)
    time.sleep(0.02)
    print(open("/proc/net/tcp").read())
    print(sh("ss -ltn"))
    print(sh("ss -tan state syn-recv"))
    print("ss -lti", sh("ss -ltim"))
    ti = L.getsockopt(IPPROTO_TCP, TCP_INFO, 400)
    print(
        "TCP_INFO len",
        len(ti),
        "nonzero fields (u32 idx from 8):",
        {i: v for i, v in enumerate(struct.unpack_from("<%dI" % ((len(ti) - 8) // 4), ti, 8)) if v},
        "first 8",
        ti[:8].hex(),
    )
    f = socket()
    ti = f.getsockopt(IPPROTO_TCP, TCP_INFO, 400)
    print("fresh: ", {i: v for i, v in enumerate(struct.unpack_from("<%dI" % ((len(ti) - 8) // 4), ti, 8)) if v}, ti[:8].hex())
    print(
        "SO_ACCEPTCONN",
        L.getsockopt(SOL_SOCKET, 30),
        socket().getsockopt(SOL_SOCKET, 30),
        "set",
        E(L.setsockopt, SOL_SOCKET, 30, 1),
        "SO_TYPE",
        L.getsockopt(SOL_SOCKET, SO_TYPE),
        "SO_PROTOCOL",
        L.getsockopt(SOL_SOCKET, 38),
        "SO_DOMAIN",
        L.getsockopt(SOL_SOCKET, 39),
    )
    print("sockstat", open("/proc/net/sockstat").read().split("\n")[1])
    print("ss -tan state all", sh("ss -Htan").strip())
    u = socket(AF_INET6)
    u.listen(3)
    print(sh("ss -Hltn6").strip())
    sysw("core/somaxconn", 2**31 - 1)
    s = socket()
    s.listen(-1)
    print("ss Send-Q of 2^31-1", sh("ss -Hltn sport = %d" % s.getsockname()[1]).split()[:3])
    print("MEMINFO", struct.unpack("9I", L.getsockopt(SOL_SOCKET, 55, 36)))
    print(
        "tcp inuse after listen counts listener; unlistened not hashed: /proc/net/tcp lines for a bound socket",
        (lambda b: (b.bind(("127.0.0.1", 7777)), ":1E61" in open("/proc/net/tcp").read())[1])(socket()),
    )


def t_inherit():
    OPTS = [
        ("SO_DEBUG", 1, 1, 1),
        ("SO_REUSEADDR", 1, 2, 1),
        ("SO_DONTROUTE", 1, 5, 1),
        ("SO_BROADCAST", 1, 6, 1),
        ("SO_SNDBUF", 1, 7, 50000),
        ("SO_RCVBUF", 1, 8, 50000),
        ("SO_KEEPALIVE", 1, 9, 1),
        ("SO_OOBINLINE", 1, 10, 1),
        ("SO_NO_CHECK", 1, 11, 1),
        ("SO_PRIORITY", 1, 12, 5),
        ("SO_LINGER", 1, 13, struct.pack("ii", 1, 7)),
        ("SO_REUSEPORT", 1, 15, 1),
        ("SO_PASSCRED", 1, 16, 1),
        ("SO_RCVLOWAT", 1, 18, 77),
        ("SO_RCVTIMEO", 1, 20, struct.pack("qq", 3, 0)),
        ("SO_SNDTIMEO", 1, 21, struct.pack("qq", 4, 0)),
        ("SO_TIMESTAMP", 1, 29, 1),
        ("SO_MARK", 1, 36, 42),
        ("SO_RXQ_OVFL", 1, 40, 1),
        ("SO_WIFI_STATUS", 1, 41, 1),
        ("SO_PEEK_OFF", 1, 42, 5),
        ("SO_NOFCS", 1, 43, 1),
        ("SO_LOCK_FILTER", 1, 44, 1),
        ("SO_SELECT_ERR_QUEUE", 1, 45, 1),
        ("SO_BUSY_POLL", 1, 46, 50),
        ("SO_MAX_PACING_RATE", 1, 47, 123456),
        ("SO_INCOMING_CPU", 1, 49, 1),
        ("SO_ZEROCOPY", 1, 60, 1),
        ("SO_TXTIME", 1, 61, struct.pack("iI", 1, 0)),
        ("SO_PREFER_BUSY_POLL", 1, 69, 1),
        ("SO_BUSY_POLL_BUDGET", 1, 70, 33),
        ("SO_BUF_LOCK", 1, 72, 1),
        ("SO_TXREHASH", 1, 74, 0),
        ("SO_RCVMARK", 1, 75, 1),
        ("SO_TIMESTAMPING", 1, 37, 8),
        ("TCP_NODELAY", 6, 1, 1),
        ("TCP_MAXSEG", 6, 2, 1000),
        ("TCP_CORK", 6, 3, 1),
        ("TCP_KEEPIDLE", 6, 4, 99),
        ("TCP_KEEPINTVL", 6, 5, 98),
        ("TCP_KEEPCNT", 6, 6, 9),
        ("TCP_SYNCNT", 6, 7, 3),
        ("TCP_LINGER2", 6, 8, 11),
        ("TCP_DEFER_ACCEPT", 6, 9, 3),
        ("TCP_WINDOW_CLAMP", 6, 10, 30000),
        ("TCP_QUICKACK", 6, 12, 0),
        ("TCP_CONGESTION", 6, 13, b"reno"),
        ("TCP_THIN_LINEAR", 6, 16, 1),
        ("TCP_USER_TIMEOUT", 6, 18, 7777),
        ("TCP_FASTOPEN", 6, 23, 4),
        ("TCP_TIMESTAMP", 6, 24, 12345),
        ("TCP_NOTSENT_LOWAT", 6, 25, 4321),
        ("TCP_SAVE_SYN", 6, 27, 1),
        ("TCP_FASTOPEN_CONNECT", 6, 30, 1),
        ("TCP_FASTOPEN_KEY", 6, 33, b"k" * 16),
        ("TCP_FASTOPEN_NO_COOKIE", 6, 34, 1),
        ("TCP_INQ", 6, 36, 1),
        ("TCP_TX_DELAY", 6, 37, 0),
        ("TCP_RTO_MAX_MS", 6, 44, 5000),
        ("TCP_RTO_MIN_US", 6, 45, 150000),
        ("TCP_DELACK_MAX_US", 6, 46, 20000),
        ("IP_TOS", 0, 1, 0x10),
        ("IP_TTL", 0, 2, 77),
        ("IP_RECVOPTS", 0, 6, 1),
        ("IP_PKTINFO", 0, 8, 1),
        ("IP_MTU_DISCOVER", 0, 10, 0),
        ("IP_RECVERR", 0, 11, 1),
        ("IP_RECVTTL", 0, 12, 1),
        ("IP_RECVTOS", 0, 13, 1),
        ("IP_FREEBIND", 0, 15, 1),
        ("IP_TRANSPARENT", 0, 19, 1),
        ("IP_MINTTL", 0, 21, 3),
        ("IP_NODEFRAG", 0, 22, 1),
        ("IP_BIND_ADDRESS_NO_PORT", 0, 24, 1),
        ("IP_MULTICAST_TTL", 0, 33, 5),
        ("IP_MULTICAST_LOOP", 0, 34, 0),
        ("IP_MULTICAST_ALL", 0, 49, 0),
        ("IP_LOCAL_PORT_RANGE", 0, 51, struct.pack("I", 50000 << 16 | 40000)),
    ]
    O6 = [
        ("IPV6_V6ONLY", 41, 26, 1),
        ("IPV6_UNICAST_HOPS", 41, 16, 55),
        ("IPV6_RECVPKTINFO", 41, 49, 1),
        ("IPV6_TCLASS", 41, 67, 0x20),
        ("IPV6_MTU_DISCOVER", 41, 23, 0),
        ("IPV6_AUTOFLOWLABEL", 41, 70, 0),
        ("IPV6_RECVHOPLIMIT", 41, 51, 1),
        ("IPV6_RECVTCLASS", 41, 66, 1),
        ("IPV6_MINHOPCOUNT", 41, 73, 3),
        ("IPV6_DONTFRAG", 41, 62, 1),
        ("IPV6_RECVERR", 41, 25, 1),
        ("IPV6_FREEBIND", 41, 78, 1),
        ("IPV6_TRANSPARENT", 41, 75, 1),
        ("IPV6_ADDR_PREFERENCES", 41, 72, 4),
        ("IPV6_FLOWINFO_SEND", 41, 33, 1),
    ]

    def g(s, l, o):
        try:
            b = s.getsockopt(l, o, 64)
            return b if len(b) != 4 else struct.unpack("i", b)[0]
        except OSError as e:
            return errno.errorcode[e.errno]

    for fam, ol, ad in ((AF_INET, OPTS, "127.0.0.1"), (AF_INET6, O6, "::1")):
        yes = []
        no = []
        other = []
        for n, l, o, v in ol:
            L = socket(fam)
            d = g(L, l, o)
            e = E(L.setsockopt, l, o, v)
            if e != "OK":
                other.append((n, "set", e))
                continue
            sv = g(L, l, o)
            try:
                L.bind((ad, 0))
                L.listen(5)
                sv2 = g(L, l, o)
                c = socket(fam)
                c.settimeout(1)
                c.connect(L.getsockname())
                if n == "TCP_DEFER_ACCEPT":
                    c.send(b"x")
                L.settimeout(1) if not n.startswith("SO_RCVTIMEO") else None
                a, _ = L.accept()
                av = g(a, l, o)
            except Exception as x:
                other.append((n, repr(x)))
                continue
            if sv == d:
                other.append((n, "default already", d, "child", av))
            elif av == sv:
                yes.append(n)
            elif av == d:
                no.append(n)
            else:
                other.append((n, "default", d, "listener", sv, "child", av))
            L.close()
            c.close()
            a.close()
        print("INHERITED", yes)
        print("NOT INHERITED (default)", no)
        print("OTHER")
        [print("   ", x) for x in other]
    # option set on listener AFTER handshake completes but before accept
    L = socket()
    L.bind(("127.0.0.1", 0))
    L.listen(5)
    c = pair(L)
    time.sleep(0.02)
    L.setsockopt(6, TCP_NODELAY, 1)
    L.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
    L.setsockopt(0, IP_TTL, 33)
    a, _ = L.accept()
    print("set after handshake, before accept: NODELAY", a.getsockopt(6, 1), "KEEPALIVE", a.getsockopt(1, 9), "TTL", a.getsockopt(0, 2))
    t = Tun()
    L = lsock(80, 5)
    p = hs(t, 80, 1, ack=False)
    L.setsockopt(6, TCP_NODELAY, 1)
    L.setsockopt(0, IP_TTL, 33)
    L.setsockopt(SOL_SOCKET, SO_RCVBUF, 20000)
    ackof(t, 1, 80, p)
    time.sleep(0.02)
    a, _ = L.accept()
    print("set between SYN and ACK: NODELAY", a.getsockopt(6, 1), "TTL", a.getsockopt(0, 2), "RCVBUF", a.getsockopt(1, 8))
    L.setsockopt(SOL_SOCKET, SO_RCVBUF, 100000)
    u = socket()
    u.setsockopt(SOL_SOCKET, SO_ATTACH_FILTER := 26, struct.pack("HL", 1, 0)) if 0 else None


if __name__ == "__main__":
    main(globals())
