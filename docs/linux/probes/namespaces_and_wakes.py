from harness import *
from syn_ack_and_queues import hs, DO
from half_open_and_close import ackof
from fast_open import cookie, KEY, fo, TFOQ
from groups_and_migration import cbpf


def t_netns():
    s = socket()
    sysw("core/somaxconn", 100)
    libc.unshare(0x40000000)
    sysw("core/somaxconn", 7)
    clisten(s.fileno(), 1000)
    print("socket of ns A (100), caller in ns B (7): ", q(s))
    s2 = socket()
    clisten(s2.fileno(), 1000)
    print("socket of ns B", q(s2))


def t_noroute():
    t = Tun()
    L = lsock(80, 5)
    n0 = nstat()
    t.send(1, 80, S, 1000, opts=DO, src="8.8.8.8")
    print("SYN from unroutable source", show(t.recv(0.1)), ndiff(n0, nstat(), ("Tcp", "Ip.")))
    print("rp_filter", sysr("ipv4/conf/tun0/rp_filter"))


def t_filter():
    t = Tun()
    L = lsock(80, 5)
    cbpf(L, [(6, 0, 0, 0)], 26)
    n0 = nstat()
    print("SO_ATTACH_FILTER ret 0: SYN", show(hs(t, 80, 1, ack=False)), ndiff(n0, nstat()))


def t_cookie_tfo():
    t = Tun()
    sysw("ipv4/tcp_syncookies", 2)
    sysw("ipv4/tcp_fastopen", 3)
    sysw("ipv4/tcp_fastopen_key", KEY)
    L = lsock(80, 5, pre=fo(5))
    t.send(1, 80, S, 1000, opts=MSS(1460) + TFO(cookie(KEY)), data=b"hello")
    print("syncookies=2 + valid TFO cookie + data", show(t.one(0.2, 1)), q(L))


def t_icmp_listener():
    t = Tun()
    L = lsock(80, 5)
    ih = struct.pack("!BBHHHBBH", 0x45, 0, 60, 0, 0, 64, 6, 0) + inet_aton("192.0.2.1") + inet_aton("192.0.2.2") + struct.pack("!HHI", 80, 7, 123)
    n0 = nstat()
    t.icmp(3, 3, ih)
    time.sleep(0.03)
    print("ICMP for listener w/o request", ndiff(n0, nstat(), ("Tcp", "Icmp.InE")), L.getsockopt(SOL_SOCKET, SO_ERROR))


def t_connself():
    L = lsock(80, 5, "127.0.0.1")
    c = socket()
    c.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    print("bind REUSEADDR to listened port then connect", E(c.bind, ("127.0.0.2", 80)), E(c.connect, ("127.0.0.1", 80)))
    # connect without listener on ephemeral self


def t_multiple_wake():
    # poll waiters on a listener: all level-triggered epolls wake; accept EAGAIN for losers
    L = lsock(80, 50)
    eps = [select.epoll() for _ in range(3)]
    [e.register(L, select.EPOLLIN) for e in eps]
    w = []
    tt = [threading.Thread(target=lambda i=i: (w.append(i) if eps[i].poll(1) else None)) for i in range(3)]
    [x.start() for x in tt]
    time.sleep(0.1)
    c = socket()
    c.connect(("127.0.0.1", 80))
    [x.join() for x in tt]
    print("LT epoll in 3 instances: woken", sorted(w))
    L.accept()
    print("loser accept", E(L.accept))


def t_close_epoll():
    L = lsock(80, 5)
    e = select.epoll()
    e.register(L, select.EPOLLIN)
    d = os.dup(L.fileno())
    L.close()
    c = socket()
    c.connect(("127.0.0.1", 80))
    print("closed fd with dup still reported by epoll", e.poll(0.1))


def t_refork():
    L = lsock(80, 5, nb=False)
    r, w = os.pipe()
    for i in range(2):
        if os.fork() == 0:
            c, _ = L.accept()
            os.write(w, b"%d" % i)
            os._exit(0)
    time.sleep(0.1)
    L.close()
    c = socket()
    c.connect(("127.0.0.1", 80))
    time.sleep(0.1)
    c2 = socket()
    c2.connect(("127.0.0.1", 80))
    time.sleep(0.1)
    print("pre-fork accept after parent close, order", os.read(r, 10))


def t_mptcp():
    L = socket(AF_INET, SOCK_STREAM, 262)
    L.bind(("127.0.0.1", 80))
    L.listen(3)
    c = socket()
    c.connect(("127.0.0.1", 80))
    a, _ = L.accept()
    print("TCP client to MPTCP listener: accepted protocol", a.getsockopt(SOL_SOCKET, 38), "TCP_INFO len", len(a.getsockopt(6, TCP_INFO, 300)))
    print("listener ss", sh("ss -Hltn").split()[:3])


def t_ratelimit():
    t = Tun()
    L = lsock(80, 50)
    n0 = nstat()
    r = 0
    for i in range(30):
        t.send(3000 + i, 81, S, 1)
    print("RST for closed port unlimited? ", len(t.recv(0.1)), "of 30")
    for i in range(30):
        t.send(3000 + i, 80, A, 1, 1)
    print("RST from listener for stray ACK", len(t.recv(0.1)), "of 30")


def t_abort_established_backlog():
    # data before accept & rcvbuf; child queues data prior accept
    t = Tun()
    L = lsock(80, 5, nb=False)
    p = hs(t, 80, 1)
    ts = opt(p, "TS")[1]
    t.send(1, 80, A | P, 1001, p["seq"] + 1, opts=TS(1002, ts), data=b"early")
    t.send(1, 80, A | F, 1006, p["seq"] + 1, opts=TS(1003, ts))
    time.sleep(0.02)
    print("acks to data+FIN before accept", [(x["fl"], x["ack"]) for x in t.recv(0.05, 1)])
    a, _ = L.accept()
    print(a.recv(10), a.recv(10), info(a)["state"])


def t_ephemeral_conn():
    sysw("ipv4/ip_local_port_range", "40000 40003")
    L = lsock(80, 500, "127.0.0.1")
    cs = []
    r = []
    for i in range(5):
        c = socket()
        r.append((E(c.connect, ("127.0.0.1", 80)), c.getsockname()[1]))
        cs.append(c)
    print("connect with 4-port range to one dest", r)
    L2 = lsock(81, 500, "127.0.0.1")
    r = []
    for i in range(5):
        c = socket()
        r.append((E(c.connect, ("127.0.0.1", 81)), c.getsockname()[1]))
        cs.append(c)
    print("other dest port reuses the same local ports", r)
    s = socket()
    print("listen autobind now", clisten(s.fileno(), 1))
    s = socket()
    s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    print("bind(0)+REUSEADDR now", E(s.bind, ("", 0)), s.getsockname())


if __name__ == "__main__":
    main(globals())
