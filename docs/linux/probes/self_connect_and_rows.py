from harness import *
from syn_ack_and_queues import hs, DO


def t_txrehash():
    s = socket()
    print("fresh SO_TXREHASH", s.getsockopt(1, 74))
    sysw("core/txrehash", 0)
    s2 = socket()
    print("sysctl 0: fresh new", s2.getsockopt(1, 74))
    clisten(s.fileno(), 1)
    print("old socket after listen", s.getsockopt(1, 74))


def t_reqsk_proc():
    t = Tun()
    L = lsock(80, 5)
    hs(t, 80, 1, ack=False)
    time.sleep(1.2)
    print([l for l in open("/proc/net/tcp").read().split("\n") if " 03 " in l][0])
    print(sh("ss -tano state syn-recv").strip())


def t_orphan_listen_after_fail():
    # listen failing EADDRINUSE leaves max_ack_backlog set? state, then shutdown
    a = socket()
    a.setsockopt(1, 2, 1)
    a.bind(("127.0.0.1", 80))
    b = socket()
    b.setsockopt(1, 2, 1)
    b.bind(("127.0.0.1", 80))
    a.listen(1)
    print(clisten(b.fileno(), 9), "state", info(b)["state"], "connect from b", E(b.connect, ("127.0.0.1", 80)), b.getsockname())
    c = socket()
    c.setsockopt(1, 2, 1)
    print("bind different addr ok", E(c.bind, ("127.0.0.2", 80)), clisten(c.fileno(), 1))


def t_port0_v6only():
    s = socket(AF_INET6)
    s.setsockopt(41, 26, 1)
    s.listen(1)
    p = s.getsockname()[1]
    print("v6only autobind; v4 bind same port", E(socket().bind, ("", p)))


def t_many():
    import resource

    # rebind time of accept fd numbering: lowest fd
    L = lsock(80, 5, nb=False)
    c = socket()
    c.connect(("127.0.0.1", 80))
    d = os.dup(0)
    os.close(d)
    f = libc.accept(L.fileno(), None, None)
    print("lowest free fd used", f == d)
    st = os.fstat(f)
    print("S_IFSOCK", oct(st.st_mode), os.readlink("/proc/self/fd/%d" % f)[:8])


main(globals())
