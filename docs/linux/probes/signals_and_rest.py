from harness import *
from syn_ack_and_queues import hs, DO
from half_open_and_close import ackof
from fast_open import cookie, KEY, fo, TFOQ
from accept import cacc, pair


def t_a():
    t = Tun()
    sysw("ipv4/tcp_abort_on_overflow", 1)
    L = lsock(80, 0)
    hs(t, 80, 1)
    time.sleep(0.02)
    n0 = nstat()
    print("abort_on_overflow=1, SYN while full", show(hs(t, 80, 2, ack=False)), q(L), ndiff(n0, nstat()))
    print("tcp_ecn", {v: E(sysw, "ipv4/tcp_ecn", v) for v in (0, 1, 2, 3, 4, 5)})
    import resource

    o = resource.getrlimit(resource.RLIMIT_NOFILE)
    f = os.open("/dev/null", 0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, o[1]))
    r = cacc(f)
    r2 = cacc(f, flags=1)
    r3 = cacc(-1)
    resource.setrlimit(resource.RLIMIT_NOFILE, o)
    print("EMFILE vs ENOTSOCK:", r, " vs bad flags:", r2, "vs EBADF", r3)


def t_sig():
    L = socket()
    L.bind(("127.0.0.1", 0))
    L.listen(5)
    c = pair(L)
    time.sleep(0.05)
    signal.signal(signal.SIGUSR1, lambda *a: None)
    signal.siginterrupt(signal.SIGUSR1, True)
    # block signal, send it, accept via pselect-less: unblocked+pending can't be seen; queue wins check: signal arrives by timer while conn queued
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    os.kill(os.getpid(), signal.SIGUSR1)
    print("blocked pending signal + queued conn", cacc(L.fileno()) > 0)


def t_ck3():
    t = Tun()
    sysw("ipv4/tcp_syncookies", 3)
    L = lsock(80, 0)
    n0 = nstat()
    t.send(1, 80, S, 1000, opts=MSS(1460))
    t.recv(0.05)
    print("syncookies=3 first SYN", ndiff(n0, nstat()), sh("ss -Htan state syn-recv").count("\n"))
    n0 = nstat()
    t.send(2, 80, S, 1000, opts=MSS(1460))
    t.recv(0.05)
    print(" second", ndiff(n0, nstat()))
    sysw("ipv4/tcp_syncookies", 2)
    L = lsock(81, 5)
    n0 = nstat()
    t.send(3, 81, A, 1001, 999)
    print("mode 2, no cookie ever sent: stray ACK", show(t.recv(0.05, 3)), ndiff(n0, nstat()))
    t.send(4, 81, S, 1000, opts=MSS(1460))
    t.recv(0.05)
    n0 = nstat()
    t.send(3, 81, A, 1001, 999)
    print(" after one cookie", show(t.recv(0.05, 3)), ndiff(n0, nstat()))


def t_tw():
    t = Tun()
    L = lsock(170, 5)
    L.setblocking(1)
    p = hs(t, 170, 1)
    a, _ = L.accept()
    a.close()
    f = t.one(0.2, 1)
    t.send(1, 170, F | A, 1001, f["seq"] + 1, opts=TS(1005, opt(f, "TS")[1]))
    t.recv(0.7)
    n0 = nstat()
    t.send(1, 170, S, 900, opts=MSS(1460) + TS(900))
    print("TW: SYN with older TS", show(t.recv(0.2, 1)), ndiff(n0, nstat()))
    time.sleep(0.6)
    n0 = nstat()
    t.send(1, 170, S, 5000, opts=MSS(1460) + TS(900))
    print("TW: SYN older TS higher seq", show(t.recv(0.2, 1)), ndiff(n0, nstat()))


def t_paws():
    t = Tun()
    L = lsock(80, 5)
    p = hs(t, 80, 1, ack=False)
    time.sleep(0.1)
    n0 = nstat()
    t.send(1, 80, A, 1001, p["seq"] + 1, opts=TS(10, opt(p, "TS")[1]))
    print("PAWS-old ACK on request", show(t.recv(0.2, 1)), ndiff(n0, nstat()), q(L))
    for m in (1, 20, 47):
        p = hs(t, 80, 10 + m, opts=MSS(m))
        time.sleep(0.02)
        a, _ = L.accept()
        print("peer MSS", m, "child MAXSEG", a.getsockopt(6, 2))


def t_tfo():
    t = Tun()
    sysw("ipv4/tcp_fastopen", 3)
    sysw("ipv4/tcp_fastopen_key", KEY)
    L = lsock(80, 5, pre=fo(5))
    for n in (1, 2, 3, 4, 5, 6, 7, 8, 10, 16, 18):
        n0 = nstat()
        t.send(100 + n, 80, S, 1000, opts=MSS(1460) + TFO(b"z" * n), data=b"hi")
        p = t.one(0.2, 100 + n)
        print("cookie len", n, [o for o in p["opts"] if o[0] == "TFO"], ndiff(n0, nstat(), ("TcpExt.TCPFast",)))
        t.send(100 + n, 80, R, 1001)
    sysw("ipv4/tcp_fastopen_key", "00000000-00000000-00000000-00000000")
    libc.unshare(0x40000000)
    sh("ip link set lo up")
    sysw("ipv4/tcp_fastopen", 0x402)
    print("new ns key", sysr("ipv4/tcp_fastopen_key"))
    s = socket()
    s.listen(3)
    print("after 0x402 listen", sysr("ipv4/tcp_fastopen_key") != "00000000-00000000-00000000-00000000")


def t_unspec():
    t = Tun()
    L = lsock(80, 5)
    p = hs(t, 80, 1)
    time.sleep(0.02)
    libc.connect(L.fileno(), struct.pack("H14x", 0), 16)
    print("AF_UNSPEC on listener with queued child", [(x["fl"]) for x in t.recv(0.1, 1)], clisten(L.fileno(), 5), q(L))


main(globals())
