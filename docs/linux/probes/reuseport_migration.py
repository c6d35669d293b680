"tcp_migrate_req=1: where half-opens and children of a closed member go when the survivor is full, and who is woken."
from harness import *
from syn_ack_and_queues import hs
from groups_and_migration import cbpf, RP, grp

MSS1460 = b"\x02\x04\x05\xb4"
A, S, R = 0x10, 0x02, 0x04
ret = lambda n: [(0x06, 0, 0, n)]


def setup(t, port, first, queued, half, bl=100, n=2):
    sysw("ipv4/tcp_migrate_req", 1)
    G = grp(n, port, bl)
    cbpf(G[0], ret(0))
    for i in range(queued):
        hs(t, port, first + i, opts=MSS1460)
    H = [hs(t, port, first + 50 + i, ack=False, opts=MSS1460) for i in range(half)]
    time.sleep(0.03)
    t.drain()
    return G, H


def t_full_survivor():
    t = Tun()
    G, H = setup(t, 400, 4000, 0, 3)
    clisten(G[1].fileno(), 0)
    G[0].close()
    n0 = nstat()
    for i, h in enumerate(H):
        t.send(4050 + i, 400, A, 1001, h["seq"] + 1)
        time.sleep(0.02)
        print("ACK", i, "survivor with backlog 0 now", q(G[1]), show(t.recv(0.02, 4050 + i)), ndiff(n0, nstat()))
        n0 = nstat()
    print("SYN-ACKs of the rest", [(p["dport"], p["fl"]) for p in t.recv(1.3)], ndiff(n0, nstat()))
    n0 = nstat()
    G[1].accept()
    for i, h in enumerate(H):
        t.send(4050 + i, 400, A, 1001, h["seq"] + 1)
        time.sleep(0.02)
    print("after an accept, the same ACKs", q(G[1]), ndiff(n0, nstat()))


def t_toggle():
    t = Tun()
    G, H = setup(t, 401, 5000, 2, 2)
    sysw("ipv4/tcp_migrate_req", 0)
    G[0].close()
    print("set to 0 before close", q(G[1]), [(p["dport"], p["fl"]) for p in t.recv(0.05)])
    sysw("ipv4/tcp_migrate_req", 1)
    t.send(5050, 401, A, 1001, H[0]["seq"] + 1)
    print("set to 1 again, the half-open's ACK", show(t.recv(0.05, 5050)), q(G[1]))
    G, H = setup(t, 402, 5100, 0, 2)
    G[0].close()
    sysw("ipv4/tcp_migrate_req", 0)
    t.send(5150, 402, A, 1001, H[0]["seq"] + 1)
    print("set to 0 after close, the half-open's ACK", show(t.recv(0.05, 5150)), q(G[1]))


def t_wake():
    import select as sel
    t = Tun()
    for how in ("poll", "epoll", "epoll ET", "accept"):
        port = {"poll": 410, "epoll": 411, "epoll ET": 412, "accept": 413}[how]
        G, H = setup(t, port, 6000 + port, 1, 1)
        got = []

        def wait():
            t0 = time.time()
            if how == "poll":
                p = sel.poll()
                p.register(G[1], sel.POLLIN)
                r = p.poll(800)
            elif how.startswith("epoll"):
                e = sel.epoll()
                e.register(G[1], sel.EPOLLIN | (sel.EPOLLET if how.endswith("ET") else 0))
                r = e.poll(0.8)
            else:
                G[1].settimeout(0.8)
                try:
                    r = bool(G[1].accept())
                except OSError as x:
                    r = repr(x)
            got.append((bool(r) and "woken" or "not woken", round(time.time() - t0, 1)))

        w = threading.Thread(target=wait)
        w.start()
        time.sleep(0.2)
        G[0].close()
        w.join()
        print(how, "blocked, then the other member closes:", got)


def t_which():
    t = Tun()
    G, H = setup(t, 420, 7000, 20, 20, n=5)
    G[0].close()
    print("20 children over 4 survivors", [q(g)[0] for g in G[1:]])
    for i, h in enumerate(H):
        t.send(7050 + i, 420, A, 1001, h["seq"] + 1)
    time.sleep(0.05)
    print("and 20 half-opens", [q(g)[0] for g in G[1:]])
    G, H = setup(t, 421, 7100, 2, 2)
    n0 = nstat()
    t.send(7150, 421, R, 1001)
    G[0].close()
    t.send(7151, 421, R, 1001)
    time.sleep(0.05)
    print("RST to a half-open before and after close", q(G[1]), ndiff(n0, nstat()))
    G, H = setup(t, 422, 7200, 1, 2)
    n0 = nstat()
    G[0].close()
    t.send(7250, 422, S, 1000, opts=MSS1460)
    print("the same SYN again after close", show(t.recv(0.05, 7250)), ndiff(n0, nstat()))
    n0 = nstat()
    t.send(7251, 422, A, 1001, H[1]["seq"] + 7)
    print("wrong ACK after close", show(t.recv(0.05, 7251)), q(G[1]), ndiff(n0, nstat()))
    G, H = setup(t, 423, 7300, 2, 1)
    G[1].close()
    G[0].close()
    print("nobody left", [(p["dport"], p["fl"]) for p in t.recv(0.05)])
    G, H = setup(t, 424, 7400, 0, 1)
    G[0].close()
    G[1].close()
    t.send(7450, 424, A, 1001, H[0]["seq"] + 1)
    print("half-open, both closed, ACK", show(t.recv(0.05, 7450)))
    G, H = setup(t, 425, 7500, 0, 1)
    G[0].close()
    G[1].close()
    N = grp(1, 425)
    t.send(7550, 425, A, 1001, H[0]["seq"] + 1)
    print("half-open, both closed, a new member, ACK", show(t.recv(0.05, 7550)), q(N[0]))
    # a lone REUSEPORT listener
    G, H = setup(t, 426, 7600, 1, 1, n=1)
    N = grp(1, 426)
    G[0].close()
    t.send(7650, 426, A, 1001, H[0]["seq"] + 1)
    time.sleep(0.03)
    print("a member that joined later takes over", q(N[0]))
    # incoming cpu decides among survivors?
    G, H = setup(t, 427, 7700, 12, 0, n=4)
    os.sched_setaffinity(0, {0})
    G[3].setsockopt(SOL_SOCKET, 49, 0)
    G[0].close()
    print("one survivor has SO_INCOMING_CPU 0", [q(g)[0] for g in G[1:]])


if __name__ == "__main__":
    main(globals())
