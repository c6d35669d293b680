"""What a program sees of its sockets, one fact a line: the same words natively and under `hearken run`.

Usage: facts.py [NAME...]; without a name every fact is told.
"""

import array
import errno
import os
import select
import signal
import socket
import struct
import sys
import threading
import time

signal.alarm(120)

POLL = [
    ("IN", select.POLLIN),
    ("OUT", select.POLLOUT),
    ("RDHUP", select.POLLRDHUP),
    ("HUP", select.POLLHUP),
    ("ERR", select.POLLERR),
]


def mask(sock, wait=0):
    p = select.poll()
    p.register(sock, select.POLLIN | select.POLLOUT | select.POLLRDHUP)
    got = dict(p.poll(wait)).get(sock.fileno(), 0)
    return "+".join(n for n, b in POLL if got & b) or "none"


def until(sock, want):
    """Polls until the mask is `want`; the last mask seen after 10 s."""
    end = time.monotonic() + 10
    while mask(sock) != want and time.monotonic() < end:
        time.sleep(0.005)
    return mask(sock)


def name_of(call, *args):
    try:
        return repr(call(*args))
    except OSError as e:
        return errno.errorcode[e.errno]


def listener(family=socket.AF_INET, backlog=16, **options):
    s = socket.socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    s.listen(backlog)
    return s


def joined(family=socket.AF_INET):
    """A listener, a client and the accepted socket."""
    with listener(family) as l:
        c = socket.create_connection(l.getsockname()[:2])
        s, _ = l.accept()
    return c, s


def error_of(s):
    e = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return errno.errorcode.get(e, e)


def reset(s):
    """Closes with SO_LINGER 0: RST."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


FACTS = {}


def fact(f):
    FACTS[f.__name__] = f
    return f


@fact
def names():
    for family in (socket.AF_INET, socket.AF_INET6):
        with listener(family) as l:
            c = socket.create_connection(l.getsockname()[:2])
            s, peer = l.accept()
            yield c.getsockname() == peer == s.getpeername()
            yield c.getpeername() == l.getsockname() == s.getsockname()
            yield len(peer), peer[0]
    u = socket.socket()
    yield name_of(u.getpeername), u.getsockname()
    u6 = socket.socket(socket.AF_INET6)
    yield name_of(u6.getpeername), u6.getsockname()


@fact
def v4_mapped():
    l = socket.socket(socket.AF_INET6)
    l.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    l.bind(("::", 0))
    l.listen()
    c = socket.create_connection(("127.0.0.1", l.getsockname()[1]))
    s, peer = l.accept()
    yield peer[0], s.getsockname()[0], s.getpeername()[0], c.getpeername()[0]
    c6 = socket.create_connection(("::1", l.getsockname()[1]))
    s6, peer = l.accept()
    yield peer[0], s6.getsockname()[0]
    only = socket.socket(socket.AF_INET6)
    only.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    only.bind(("::", 0))
    only.listen()
    yield name_of(socket.create_connection, ("127.0.0.1", only.getsockname()[1]))


@fact
def poll_masks():
    f = socket.socket()
    yield "fresh", mask(f)
    l = listener()
    yield "listening", mask(l)
    c = socket.create_connection(l.getsockname())
    yield "queued", until(l, "IN")
    s, _ = l.accept()
    yield "taken", mask(l)
    yield "connected", mask(c), mask(s)
    c.send(b"x")
    yield "data", until(s, "IN+OUT")
    s.recv(1)
    yield "read", mask(s)
    c.shutdown(socket.SHUT_WR)
    yield "peer's fin", until(s, "IN+OUT+RDHUP")
    yield "own shut", mask(c)
    yield s.recv(1)
    s.shutdown(socket.SHUT_WR)
    yield "both", until(s, "IN+OUT+RDHUP+HUP"), until(c, "IN+OUT+RDHUP+HUP")
    yield c.recv(1), name_of(c.send, b"x")


@fact
def refused():
    with listener() as l:
        port = l.getsockname()[1]
    for host in ("127.0.0.1", "::1"):
        yield name_of(socket.create_connection, (host, port))
    s = socket.socket()
    s.setblocking(False)
    yield errno.errorcode[s.connect_ex(("127.0.0.1", port))]
    _, w, _ = select.select([], [s], [], 10)
    yield len(w)
    yield mask(s)
    yield error_of(s), error_of(s)
    yield name_of(s.getpeername)
    yield name_of(s.recv, 1)


@fact
def select_connect():
    l = listener()
    s = socket.socket()
    s.setblocking(False)
    yield errno.errorcode.get(s.connect_ex(l.getsockname()), 0)
    r, w, x = select.select([s], [s], [s], 10)
    yield len(r), len(w), len(x)
    yield error_of(s), s.getpeername() == l.getsockname()
    yield errno.errorcode.get(s.connect_ex(l.getsockname()), 0)
    yield name_of(s.recv, 1)


@fact
def half_close():
    for family in (socket.AF_INET, socket.AF_INET6):
        c, s = joined(family)
        c.sendall(b"question")
        c.shutdown(socket.SHUT_WR)
        got = b""
        while piece := s.recv(100):
            got += piece
        yield got
        s.sendall(b"answer" * 1000)
        s.close()
        got = b""
        while piece := c.recv(10000):
            got += piece
        yield len(got)
        yield name_of(c.send, b"late")


@fact
def reset_by_linger():
    c, s = joined()
    reset(s)
    yield until(c, "IN+OUT+RDHUP+HUP+ERR")
    yield name_of(c.recv, 1)
    yield name_of(c.recv, 1)
    yield error_of(c)
    # A reader that waits is told at once.
    c, s = joined()
    t = threading.Timer(0.05, reset, [s])
    t.start()
    yield name_of(c.recv, 1)
    t.join()
    # Bytes that came before the reset: Linux throws the queue away? The program sees for itself.
    c, s = joined()
    s.send(b"last words")
    until(c, "IN+OUT")
    reset(s)
    until(c, "IN+OUT+RDHUP+HUP+ERR")
    yield error_of(c)


@fact
def reset_by_unread():
    c, s = joined()
    c.send(b"never read")
    until(s, "IN+OUT")
    s.close()
    yield until(c, "IN+OUT+RDHUP+HUP+ERR")
    yield name_of(c.recv, 1)


@fact
def pipe():
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    c, s = joined()
    s.close()
    until(c, "IN+OUT+RDHUP")
    yield c.send(b"into the void")
    until(c, "IN+OUT+RDHUP+HUP+ERR")
    yield name_of(c.send, b"more")
    hit = []
    signal.signal(signal.SIGPIPE, lambda *_: hit.append(1))
    c, s = joined()
    c.shutdown(socket.SHUT_WR)
    yield name_of(c.send, b"x"), len(hit)
    yield name_of(c.send, b"x", socket.MSG_NOSIGNAL), len(hit)


@fact
def options():
    c, s = joined()
    for level, name in [
        (socket.SOL_SOCKET, "SO_TYPE"),
        (socket.SOL_SOCKET, "SO_DOMAIN"),
        (socket.SOL_SOCKET, "SO_PROTOCOL"),
        (socket.SOL_SOCKET, "SO_ACCEPTCONN"),
        (socket.SOL_SOCKET, "SO_KEEPALIVE"),
        (socket.SOL_SOCKET, "SO_ERROR"),
        (socket.SOL_SOCKET, "SO_OOBINLINE"),
        (socket.IPPROTO_TCP, "TCP_NODELAY"),
        (socket.IPPROTO_TCP, "TCP_CORK"),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE"),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL"),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT"),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT"),
        (socket.IPPROTO_TCP, "TCP_DEFER_ACCEPT"),
        (socket.IPPROTO_TCP, "TCP_QUICKACK"),
        (socket.IPPROTO_IP, "IP_TTL"),
        (socket.IPPROTO_IP, "IP_TOS"),
    ]:
        value = getattr(socket, name)
        yield name, name_of(c.getsockopt, level, value), name_of(s.getsockopt, level, value)
    for name in ("TCP_NODELAY", "TCP_CORK"):
        value = getattr(socket, name)
        c.setsockopt(socket.IPPROTO_TCP, value, 1)
        yield name, c.getsockopt(socket.IPPROTO_TCP, value)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 7)
    yield c.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
    c.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
    yield c.getsockopt(socket.IPPROTO_IP, socket.IP_TOS)
    yield name_of(c.setsockopt, socket.IPPROTO_TCP, 9999, 1)
    yield name_of(c.getsockopt, 9999, 1)
    info = c.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    yield "state", info[0], len(info)
    yield "named", c.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0") != b""
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    yield c.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0")
    yield "send buffer", c.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) >= 4096
    c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 30000)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 30000)
    yield c.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    yield c.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


@fact
def bind_errors():
    l = listener()
    addr = l.getsockname()
    s = socket.socket()
    yield name_of(s.bind, addr)
    yield name_of(s.bind, ("192.0.2.1", 0))
    yield name_of(s.bind, ("127.0.0.1", 0)), name_of(s.bind, ("127.0.0.1", 0))
    yield name_of(l.connect, addr)
    yield name_of(socket.socket().listen), name_of(socket.socket().accept)
    c, _ = joined()
    yield name_of(c.listen), name_of(c.connect, addr)


@fact
def reuseport():
    a, b = socket.socket(), socket.socket()
    for s in (a, b):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    a.bind(("127.0.0.1", 0))
    b.bind(a.getsockname())
    a.listen(256)
    b.listen(256)
    for s in (a, b):
        s.setblocking(False)
    clients = [socket.create_connection(a.getsockname()) for _ in range(100)]
    counts = []
    for s in (a, b):
        n = 0
        while True:
            try:
                s.accept()
                n += 1
            except BlockingIOError:
                break
        counts.append(n)
    yield sum(counts), min(counts) > 10
    plain = socket.socket()
    yield name_of(plain.bind, a.getsockname())


@fact
def epoll_edge():
    l = listener(backlog=128)
    l.setblocking(False)
    ep = select.epoll()
    ep.register(l, select.EPOLLIN | select.EPOLLET)
    yield ep.poll(0) == []
    clients = [socket.create_connection(l.getsockname()) for _ in range(5)]
    yield len(ep.poll(5)), len(ep.poll(0))
    taken = []
    while True:
        try:
            taken.append(l.accept()[0])
        except BlockingIOError:
            break
    yield len(taken), len(ep.poll(0))
    clients.append(socket.create_connection(l.getsockname()))
    yield len(ep.poll(5))
    s, _ = l.accept()
    s.setblocking(False)
    ep.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET | select.EPOLLRDHUP)
    yield [m for _, m in ep.poll(5)] == [select.EPOLLOUT]
    clients[-1].send(b"a")
    yield bool(ep.poll(5)[0][1] & select.EPOLLIN), ep.poll(0)
    clients[-1].send(b"b")
    yield bool(ep.poll(5)[0][1] & select.EPOLLIN)
    yield s.recv(10)
    clients[-1].close()
    yield bool(ep.poll(5)[0][1] & select.EPOLLRDHUP)


@fact
def descriptor_passing():
    here, there = socket.socketpair()
    if (child := os.fork()) == 0:
        here.close()
        msg, anc, _, _ = there.recvmsg(1, socket.CMSG_SPACE(4))
        fd = array.array("i", anc[0][2])[0]
        l = socket.socket(fileno=fd)
        s, _ = l.accept()
        s.sendall(b"from the child " + str(l.getsockname()[1]).encode())
        s.close()
        os._exit(0)
    there.close()
    l = listener()
    here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [l.fileno()]))])
    addr = l.getsockname()
    l.close()
    c = socket.create_connection(addr)
    got = b""
    while piece := c.recv(100):
        got += piece
    yield got == b"from the child " + str(addr[1]).encode()
    yield os.waitpid(child, 0)[1]
    time.sleep(0.05)
    yield name_of(socket.create_connection, addr)


@fact
def dup_and_exec():
    c, s = joined()
    d = s.dup()
    s.close()
    d.send(b"by the duplicate")
    yield c.recv(100)
    os.set_inheritable(d.fileno(), True)
    if (child := os.fork()) == 0:
        os.execvp("python3", ["python3", "-c", f"import os; os.write({d.fileno()}, b'after exec')"])
    os.waitpid(child, 0)
    yield c.recv(100)
    yield mask(c)
    d.close()
    yield until(c, "IN+OUT+RDHUP"), c.recv(1)


@fact
def non_blocking():
    l = listener()
    l.setblocking(False)
    yield name_of(l.accept)
    c, s = joined()
    s.setblocking(False)
    yield name_of(s.recv, 1)
    c.setblocking(False)
    sent = 0
    while True:
        try:
            sent += c.send(b"z" * 65536)
        except BlockingIOError:
            break
    yield sent > 65536, mask(c)
    got = 0
    while got < sent:
        try:
            got += len(s.recv(1 << 20))
        except BlockingIOError:
            select.select([s], [], [], 10)
    yield got == sent, until(c, "OUT")


@fact
def timeouts():
    c, s = joined()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("qq", 0, 50_000))
    yield name_of(c.recv, 1)
    l = listener()
    l.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("qq", 0, 50_000))
    yield name_of(l.accept)
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    left = signal.alarm(0)
    l.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("qq", 0, 0))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        l.accept()
        yield "accepted"
    except KeyboardInterrupt:
        yield "interrupted"
    # What was interrupted takes nothing away.
    c = socket.create_connection(l.getsockname())
    yield l.accept()[1] == c.getsockname()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(left)


@fact
def peek_and_flags():
    c, s = joined()
    c.send(b"abcdef")
    until(s, "IN+OUT")
    yield s.recv(3, socket.MSG_PEEK), s.recv(2)
    yield s.recv(4, socket.MSG_WAITALL)
    yield name_of(s.recv, 1, socket.MSG_DONTWAIT)
    c.send(b"gh")
    until(s, "IN+OUT")
    yield s.recvfrom(10)
    yield c.sendto(b"ij", ("127.0.0.1", 9))
    yield s.recv(10)
    c.send(b"kl")
    until(s, "IN+OUT")
    yield s.recv(1, socket.MSG_TRUNC), s.recv(10)
    buf = bytearray(4)
    import fcntl
    c.send(b"mno")
    until(s, "IN+OUT")
    fcntl.ioctl(s, 0x541B, buf)
    yield struct.unpack("i", buf)[0]
    yield s.recvmsg(10)[0]


@fact
def sendfile_and_splice():
    import hashlib
    import tempfile
    data = os.urandom(3_000_001)
    want = hashlib.sha256(data).hexdigest()
    with tempfile.TemporaryFile() as f:
        f.write(data)
        f.flush()
        for way in ("sendfile", "splice"):
            c, s = joined()
            h = hashlib.sha256()

            def read():
                while piece := s.recv(1 << 16):
                    h.update(piece)

            t = threading.Thread(target=read)
            t.start()
            off = 0
            if way == "sendfile":
                while off < len(data):
                    off += os.sendfile(c.fileno(), f.fileno(), off, len(data) - off)
            elif hasattr(os, "splice"):
                r, w = os.pipe()
                while off < len(data):
                    n = os.splice(f.fileno(), w, 65536, offset_src=off)
                    off += n
                    while n:
                        n -= os.splice(r, c.fileno(), n)
            else:
                c.sendall(data)
            c.close()
            t.join()
            yield way, h.hexdigest() == want


@fact
def close_then_bind():
    l = listener()
    addr = l.getsockname()
    ok = 0
    for _ in range(200):
        l.close()
        l = socket.socket()
        l.bind(addr)
        l.listen()
        ok += 1
    yield ok


@fact
def reconnect():
    with listener() as l:
        port = l.getsockname()[1]
    s = socket.socket()
    yield name_of(s.connect, ("127.0.0.1", port))
    l = socket.socket()
    l.bind(("127.0.0.1", port))
    l.listen()
    yield name_of(s.connect, ("127.0.0.1", port))
    a, _ = l.accept()
    s.send(b"again")
    yield a.recv(10)


@fact
def closing_a_listener():
    l = listener()
    c = socket.create_connection(l.getsockname())
    l.close()
    yield until(c, "IN+OUT+RDHUP+HUP+ERR")
    yield name_of(c.recv, 1)
    l = listener()
    t = threading.Timer(0.05, l.shutdown, [socket.SHUT_RDWR])
    t.start()
    yield name_of(l.accept)
    t.join()


@fact
def sigpipe():
    for wait in (True, False):
        c, s = joined()
        if (child := os.fork()) == 0:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            s.close()
            if wait:
                until(c, "IN+OUT+RDHUP")
                c.send(b"into the void")
                until(c, "IN+OUT+RDHUP+HUP+ERR")
            else:
                c.shutdown(socket.SHUT_WR)
            c.send(b"more")
            os._exit(0)
        s.close()
        c.close()
        yield signal.Signals(os.waitpid(child, 0)[1] & 127).name


@fact
def tcp_info():
    c, s = joined()
    size = 104
    c.sendall(b"i" * 100_000)
    got = 0
    while got < 100_000:
        got += len(s.recv(1 << 20))
    for end in (c, s):
        info = struct.unpack("BBBBBBBB24I", end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, size))
        # The last three: tcpi_snd_mss, tcpi_pmtu, tcpi_snd_cwnd.
        yield info[0], info[5] & 7, info[6] > 0, info[10] > 1000, info[21], info[26] >= 10
    c.close()
    until(s, "IN+OUT+RDHUP")
    yield s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, size)[0]
    with listener() as l:
        yield l.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, size)[0]
    yield socket.socket().getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, size)[0]


@fact
def descriptor_flags():
    import fcntl
    import stat
    l = listener()
    l.setblocking(False)
    c = socket.create_connection(l.getsockname())
    select.select([l], [], [], 10)
    fd, _ = l._accept()
    s = socket.socket(fileno=fd)
    yield bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK), fcntl.fcntl(fd, fcntl.F_GETFD)
    yield fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR
    yield stat.S_ISSOCK(os.fstat(fd).st_mode), os.readlink(f"/proc/self/fd/{fd}").startswith("socket:[")
    yield name_of(os.lseek, fd, 0, 0)
    os.write(c.fileno(), b"plain")
    yield os.read(fd, 100)
    os.writev(c.fileno(), [b"two ", b"pieces"])
    bufs = [bytearray(4), bytearray(10)]
    until(s, "IN+OUT")
    yield os.readv(fd, bufs), bytes(bufs[0])
    plain = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    yield bool(fcntl.fcntl(plain, fcntl.F_GETFL) & os.O_NONBLOCK)
    yield struct.unpack("iii", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))


@fact
def descriptor_limit():
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    l = listener()
    c = socket.create_connection(l.getsockname())
    c.send(b"still here")
    top = os.dup(0)
    os.close(top)
    resource.setrlimit(resource.RLIMIT_NOFILE, (top, hard))
    yield name_of(socket.socket), name_of(l.accept)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    s, peer = l.accept()
    yield peer == c.getsockname(), s.recv(100)


@fact
def asynchronous_io():
    import fcntl
    c, s = joined()
    hit = []
    signal.signal(signal.SIGIO, lambda *_: hit.append(1))
    fcntl.fcntl(s, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(s, fcntl.F_SETFL, fcntl.fcntl(s, fcntl.F_GETFL) | os.O_ASYNC)
    c.send(b"x")
    end = time.monotonic() + 10
    while not hit and time.monotonic() < end:
        time.sleep(0.01)
    yield bool(hit), s.recv(10)
    fcntl.fcntl(s, fcntl.F_SETFL, 0)
    signal.signal(signal.SIGIO, signal.SIG_IGN)


@fact
def shutdowns():
    yield name_of(socket.socket().shutdown, socket.SHUT_RDWR)
    c, s = joined()
    c.shutdown(socket.SHUT_RD)
    yield c.recv(10), mask(c)
    yield c.send(b"still"), s.recv(10)
    c.shutdown(socket.SHUT_WR)
    yield until(s, "IN+OUT+RDHUP"), s.recv(10)
    s.shutdown(socket.SHUT_RDWR)
    yield until(c, "IN+OUT+RDHUP+HUP")
    yield name_of(c.shutdown, 7)
    c, s = joined()
    t = threading.Timer(0.05, c.shutdown, [socket.SHUT_RDWR])
    t.start()
    yield c.recv(1)
    t.join()


@fact
def many_readers():
    c, s = joined()
    got = []
    lock = threading.Lock()

    def read():
        while piece := s.recv(1000):
            with lock:
                got.append(piece)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for t in threads:
        t.start()
    for i in range(200):
        c.send(b"%03d" % i * 100)
    c.shutdown(socket.SHUT_WR)
    for t in threads:
        t.join()
    yield sum(map(len, got))


@fact
def epoll_modes():
    c, s = joined()
    ep = select.epoll()
    ep.register(s, select.EPOLLIN | select.EPOLLONESHOT)
    c.send(b"1")
    yield len(ep.poll(5)), len(ep.poll(0))
    ep.modify(s, select.EPOLLIN | select.EPOLLONESHOT)
    yield len(ep.poll(5))
    ep.modify(s, select.EPOLLIN)
    yield len(ep.poll(5)), len(ep.poll(5))
    s.recv(1)
    yield len(ep.poll(0))
    ep.modify(s, select.EPOLLOUT)
    yield len(ep.poll(0))
    # Closing the last descriptor takes it out of the set.
    s.close()
    yield len(ep.poll(0))


@fact
def listen_again():
    l = listener(backlog=1)
    clients = [socket.socket() for _ in range(4)]
    for c in clients:
        c.setblocking(False)
        c.connect_ex(l.getsockname())
    _, w, _ = select.select([], clients, [], 0.3)
    yield len(select.select([], clients, [], 0)[1])
    l.listen(10)
    for _ in range(4):
        l.accept()
    yield len(select.select([], clients, [], 10)[1])
    for backlog in (0, -1, 1 << 30):
        yield name_of(l.listen, backlog)


@fact
def splice_out():
    if not hasattr(os, "splice"):
        return
    c, s = joined()
    data = os.urandom(500_000)
    t = threading.Thread(target=lambda: (c.sendall(data), c.close()))
    t.start()
    r, w = os.pipe()
    got = b""
    while n := os.splice(s.fileno(), w, 65536):
        while n:
            piece = os.read(r, n)
            got += piece
            n -= len(piece)
    t.join()
    yield got == data


@fact
def odd_addresses():
    s = socket.socket()
    for host in ("0.0.0.0", "255.255.255.255", "224.0.0.1"):
        with listener() as l:
            port = l.getsockname()[1]
            yield host, name_of(socket.create_connection, (host, port))[:12]
    yield name_of(s.bind, ("127.0.0.2", 0)), s.getsockname()[0]
    l = socket.socket()
    l.bind(("127.5.6.7", 0))
    l.listen()
    c = socket.create_connection(l.getsockname())
    yield c.getsockname()[0], c.getpeername()[0]
    bound = socket.socket()
    bound.bind(("127.9.9.9", 0))
    bound.connect(l.getsockname())
    l.accept()
    yield l.accept()[1][0]
    yield name_of(bound.connect, l.getsockname())


@fact
def urgent_and_more():
    c, s = joined()
    c.send(b"begin ", socket.MSG_MORE)
    c.send(b"end")
    got = b""
    while len(got) < 9:
        got += s.recv(100)
    yield got
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    c.send(b"held")
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
    yield s.recv(100)
    yield name_of(s.recv, 1, socket.MSG_OOB)


@fact
def resolver():
    for host in ("localhost", "127.0.0.1", "::1"):
        yield sorted({a[4][0] for a in socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM)})
    yield [a[4][0] for a in socket.getaddrinfo(None, 80, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)]


for name in sys.argv[1:] or FACTS:
    try:
        for value in FACTS[name]():
            print(f"{name}: {value}", flush=True)
    except Exception as e:
        print(f"{name}: {type(e).__name__} {e} at line {e.__traceback__.tb_next.tb_lineno if e.__traceback__.tb_next else '?'}", flush=True)
