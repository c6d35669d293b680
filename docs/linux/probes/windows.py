from harness import *


def main():
    enter()
    t = Tun()
    L6 = socket(AF_INET6)
    L6.bind(("2001:db8::1", 140))
    L6.listen(50)
    t.send(1, 140, S, 1, opts=MSS(1440) + SACKOK + TS(100) + WS(7), v6=True)
    print("v6 all options", show(t.one()))
    t.send(2, 140, S, 1, opts=MSS(1440), v6=True)
    print("v6 mss only", show(t.recv(0.2, 2)))
    L = socket()
    L.bind(("192.0.2.1", 140))
    L.listen(50)
    t.send(3, 140, S, 1, opts=MSS(1460) + SACKOK + TS(100) + WS(7))
    print("v4 all options", show(t.recv(0.2, 3)))
    print(sysr("ipv4/tcp_rmem"), sysr("ipv4/tcp_congestion_control"))
    sysw("ipv4/tcp_rmem", "4096 131072 6291456")
    t.send(4, 140, S, 1, opts=MSS(1460) + SACKOK + TS(100) + WS(7))
    print("v4 with upstream tcp_rmem max", show(t.recv(0.2, 4)))


main()
