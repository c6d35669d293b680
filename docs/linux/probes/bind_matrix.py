# full SO_REUSEADDR x SO_REUSEPORT x state x address x device bind-conflict matrix
from harness import *
import csv, itertools


def t_matrix():
    w = csv.writer(open("bind_matrix.csv", "w"))
    w.writerow("A_addr A_reuseaddr A_reuseport A_state A_dev B_addr B_reuseaddr B_reuseport B_dev same_uid bindB listenB listenA_after".split())
    sh("ip addr add 10.9.9.1/32 dev lo; ip link add v0 type veth peer name v1; ip link set v0 up")
    port = 20000
    n = 0
    cnt = {}
    for aa, ba in itertools.product(["0.0.0.0", "127.0.0.1"], ["0.0.0.0", "127.0.0.1", "127.0.0.2"]):
        for ara, arp, bra, brp in itertools.product((0, 1), repeat=4):
            for ast in ("bound", "listen", "estab-child", "timewait"):
                for ad, bd in (("", ""), ("lo", ""), ("", "lo"), ("lo", "lo"), ("lo", "v0")):
                    for same in (1, 0):
                        if not same and not (arp and brp):
                            continue
                        if ast in ("estab-child", "timewait") and (ad, bd) != ("", ""):
                            continue
                        port += 1
                        if port > 65000:
                            port = 1024
                        a = socket()
                        hold = [a]
                        a.setsockopt(SOL_SOCKET, SO_REUSEADDR, ara)
                        a.setsockopt(SOL_SOCKET, 15, arp)
                        if ad:
                            a.setsockopt(SOL_SOCKET, 25, ad.encode() + b"\0")
                        a.bind((aa, port))
                        if ast != "bound":
                            a.listen(2)
                        if ast in ("estab-child", "timewait"):
                            c = socket()
                            c.connect(("127.0.0.1", port))
                            x, _ = a.accept()
                            a.close()
                            hold += [c, x]
                            if ast == "timewait":
                                x.close()
                                c.close()

                        def B():
                            b = socket()
                            b.setsockopt(SOL_SOCKET, SO_REUSEADDR, bra)
                            b.setsockopt(SOL_SOCKET, 15, brp)
                            if bd:
                                b.setsockopt(SOL_SOCKET, 25, bd.encode() + b"\0")
                            r = E(b.bind, (ba, port))
                            l = clisten(b.fileno(), 2) if r == "OK" else "-"
                            la = "-"
                            if same and ast == "bound" and r == "OK":
                                la = clisten(a.fileno(), 2)
                            b.close()
                            return r, l, la

                        if same:
                            r = B()
                        else:
                            rd, wr = os.pipe()
                            pid = os.fork()
                            if pid == 0:
                                os.setuid(1000)
                                os.write(wr, "|".join(B()).encode())
                                os._exit(0)
                            os.waitpid(pid, 0)
                            r = os.read(rd, 100).decode().split("|")
                            os.close(rd)
                            os.close(wr)
                        w.writerow([aa, ara, arp, ast, ad, ba, bra, brp, bd, same, *r])
                        n += 1
                        for h in hold:
                            h.close()
    print("rows", n)


main(globals())
