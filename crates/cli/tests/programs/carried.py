"""Programs that know nothing of Hearken: one mode each, carried by the tests of `hearken run`."""

import errno
import os
import signal
import socket
import sys
import time


def say(*words):
    print(*words, flush=True)


def server(port, backlog, host="0.0.0.0"):
    listener = socket.socket()
    listener.bind((host, int(port)))
    listener.listen(int(backlog))
    say("listening", *listener.getsockname())
    return listener


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def never_accept(port, backlog):
    """listen and nothing else."""
    keep = server(port, backlog)
    while True:
        signal.pause()


def rebind(port, times):
    """Close a listener and bind its port again."""
    for turn in range(int(times)):
        listener = socket.socket()
        try:
            listener.bind(("127.0.0.1", int(port)))
            listener.listen(5)
        except OSError as error:
            say("turn", turn, errno.errorcode[error.errno])
            sys.exit(1)
        listener.close()
    say("rebound", times)


def connect(host, port):
    """Connect once and say how it ended."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    client = socket.socket(family)
    error = client.connect_ex((host, int(port)))
    say("connect", errno.errorcode.get(error, error))
    if error == 0:
        say("peer", *client.getpeername()[:2])


def policy(closed, opened):
    """Calls that a policy judges: how each ended."""

    def say_how(what, call, *arguments):
        try:
            call(*arguments)
            say(what, 0)
        except OSError as error:
            say(what, errno.errorcode[error.errno])

    for family, any_address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        low = socket.socket(family)
        say_how("bind-low", low.bind, (any_address, 80))
        say_how("bind-high", low.bind, (any_address, 8080))
        say_how("listen", low.listen, 5)
        low.close()
    quiet = socket.socket()
    quiet.bind(("127.0.0.1", 9001))
    say_how("listen-denied", quiet.listen, 5)
    for port in (closed, opened):
        client = socket.socket()
        say_how("connect", client.connect, ("10.0.2.2", int(port)))
        client.close()
    busy = socket.socket()
    busy.bind(("127.0.0.1", 9002))
    busy.listen(5)
    client = socket.create_connection(("127.0.0.1", 9002))
    say_how("accept", busy.accept)


def echo(port, count):
    """Say the peer of each of `count` clients and send back what it sends."""
    family = socket.AF_INET6
    listener = socket.socket(family)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(("::", int(port)))
    listener.listen(16)
    say("listening", *listener.getsockname()[:2])
    for _ in range(int(count)):
        client, peer = listener.accept()
        say("accepted", peer[0], peer[1], *client.getpeername()[:2])
        while data := client.recv(65536):
            client.sendall(data)
        client.close()


def prefork(port, workers):
    """`workers` processes accept from one listener; each client is told who served it."""
    listener = server(port, 128)
    for _ in range(int(workers)):
        pid = os.fork()
        if pid == 0:
            while True:
                client, _ = listener.accept()
                client.sendall(b"%d\n" % os.getpid())
                client.close()
        say("worker", pid)
    while True:
        try:
            pid, _ = os.wait()
            say("gone", pid)
        except ChildProcessError:
            return


def alarm(port, count):
    """Accept `count` clients while SIGALRM interrupts every millisecond."""
    alarms = 0

    def on_alarm(_signal, _frame):
        nonlocal alarms
        alarms += 1

    listener = server(port, 128)
    signal.signal(signal.SIGALRM, on_alarm)
    before = descriptors()
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    for served in range(int(count)):
        client, _ = listener.accept()
        client.sendall(b"x")
        client.close()
    signal.setitimer(signal.ITIMER_REAL, 0)
    say("served", served + 1, "alarms", alarms, "descriptors", before, descriptors())


def hold(port, count):
    """Accept `count` clients and keep them all; then echo one byte to each."""
    listener = server(port, 4096)
    clients = [listener.accept()[0] for _ in range(int(count))]
    say("held", len(clients))
    for client in clients:
        client.sendall(client.recv(1))
    say("answered", len(clients))
    signal.pause()


def many(port, processes, connects, backlog):
    """`processes` children connect `connects` times each; count what was served and what was refused."""
    listener = server(port, backlog)
    children = []
    for _ in range(int(processes)):
        pid = os.fork()
        if pid == 0:
            listener.close()
            bad = 0
            for _ in range(int(connects)):
                client = socket.socket()
                try:
                    client.connect(("127.0.0.1", int(port)))
                    if client.recv(1) != b"x":
                        bad += 1
                except OSError:
                    bad += 1
                client.close()
            os._exit(min(bad, 255))
        children.append(pid)
    for served in range(int(processes) * int(connects)):
        client, _ = listener.accept()
        client.sendall(b"x")
        client.close()
    failed = sum(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0 for pid in children)
    say("served", served + 1, "children that failed", failed)


def pour(port, size):
    """Send `size` bytes to the first client; then wait for the next, and say which were done."""
    listener = server(port, 16)
    block = bytes(1 << 20)
    while True:
        client, _ = listener.accept()
        left = int(size)
        try:
            while left:
                left -= client.send(block[: min(left, len(block))])
            say("poured", size)
        except OSError as error:
            say("stopped", errno.errorcode[error.errno])
        client.close()


def load(port, marker):
    """Connect and serve for ever, over fork; `marker` is what the test finds leftovers by."""
    listener = server(port, 64)
    if os.fork() == 0:
        while True:
            client, _ = listener.accept()
            client.sendall(client.recv(100))
            client.close()
    while True:
        client = socket.create_connection(("127.0.0.1", int(port)))
        client.sendall(b"load")
        if client.recv(100) != b"load":
            sys.exit(3)
        client.close()


def proc_net(port):
    """What the files of /proc say while a connection is open, by every path that leads to them."""
    import subprocess

    listener = server(port, 5, "127.0.0.1")
    client = socket.create_connection(listener.getsockname())
    served, _ = listener.accept()
    inodes = sorted(os.fstat(s.fileno()).st_ino for s in (listener, client, served))
    os.chdir("/proc/net")
    net = os.open("/proc/self/net", os.O_RDONLY | os.O_DIRECTORY)
    for name, path, opener in (
        ("usual", "/proc/net/tcp", None),
        ("self", "/proc/self/net/tcp", None),
        ("process", f"/proc/{os.getpid()}/net/tcp", None),
        ("thread", "/proc/thread-self/net/tcp", None),
        ("relative", "tcp", None),
        ("descriptor", "tcp", lambda path, flags: os.open(path, flags, dir_fd=net)),
    ):
        with open(path, opener=opener) as table:
            rows = [line.split() for line in table][1:]
        say(name, *(row[3] for row in rows), sorted(int(row[9]) for row in rows) == inodes)
    say("listener", *(row[1] == "0100007F:%04X" % int(port) for row in rows if row[3] == "0A"))
    shown = subprocess.run(["cat", f"/proc/{os.getpid()}/net/tcp"], stdout=subprocess.PIPE).stdout
    say("cat", len(shown.splitlines()) - 1)
    with open("/proc/net/tcp6") as table:
        say("tcp6", len(table.readlines()) - 1)
    pairs = [line.split() for line in open("/proc/net/snmp")]
    tcp = dict(zip(*[words for words in pairs if words[0] == "Tcp:"]))
    say("snmp", tcp["ActiveOpens"], tcp["PassiveOpens"], tcp["CurrEstab"], tcp["MaxConn"])
    say("sockstat", *(line.split()[2] for line in open("/proc/net/sockstat") if line.startswith("TCP:")))
    say("sysctl", open("/proc/sys/net/ipv4/tcp_syn_retries").read().strip())
    say("others", "local_address" in open("/proc/net/udp").readline(), open("/proc/self/comm").read() != "")


def proc_kept():
    """A descriptor of /proc/net/tcp that is rewound, what it is, and a sysctl that is written."""
    table = open("/proc/net/tcp")
    before = len(table.readlines())
    keep = server(0, 5)
    table.seek(0)
    say("rewound", len(table.readlines()) - before)
    say("anew", len(open("/proc/net/tcp").readlines()) - before)
    say("link", os.readlink(f"/proc/self/fd/{table.fileno()}").split()[0])
    with open("/proc/sys/net/ipv4/tcp_sack", "w") as file:
        file.write("0")
    say("written", open("/proc/sys/net/ipv4/tcp_sack").read().strip())
    keep.close()


def sock_diag():
    """How many TCP sockets netlink lists, as ss asks."""
    import struct

    keep = server(0, 5)
    NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST_DUMP = 4, 20, 0x301
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
    request = struct.pack("=BBBBI48x", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF)
    link.send(struct.pack("=IHHII", 16 + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST_DUMP, 1, 0) + request)
    kind = struct.unpack_from("=IH", link.recv(65536))[1]
    say("netlink", "sockets" if kind == SOCK_DIAG_BY_FAMILY else "none")
    keep.close()


def refusals():
    """Calls that Linux would grant and that are refused here, and how."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    SYS_IO_URING_SETUP, IPPROTO_MPTCP, SO_ZEROCOPY = 425, 262, 60
    result = libc.syscall(SYS_IO_URING_SETUP, 8, ctypes.create_string_buffer(120))
    say("io_uring", result, errno.errorcode.get(ctypes.get_errno()))
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
        say("mptcp granted")
    except OSError as error:
        say("mptcp", errno.errorcode[error.errno])
    stream = socket.socket()
    try:
        stream.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
        say("zerocopy granted")
    except OSError as error:
        say("zerocopy", errno.errorcode[error.errno])


def udp(host):
    """Send a datagram to somewhere else."""
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sender.sendto(b"x", (host, 9))
        say("udp sent")
    except OSError as error:
        say("udp", errno.errorcode[error.errno])


def write_after_reset(port):
    """Write after the client has reset the connection; then say each errno in turn."""
    import select

    listener = server(port, 5)
    client, _ = listener.accept()
    poll = select.poll()
    poll.register(client, 0)
    while not poll.poll(1000):
        pass
    for turn in range(2):
        try:
            client.send(b"x")
            say("write", turn, "sent")
        except OSError as error:
            say("write", turn, errno.errorcode[error.errno])


def inspect(port):
    """Sockets to look at; then a listener more as soon as net.core.somaxconn is 7."""
    port = int(port)
    listener = server(port, 5, "127.0.0.1")
    six = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    six.bind(("::1", port + 1))
    six.listen(9)
    client = socket.create_connection(("127.0.0.1", port))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    accepted, _ = listener.accept()
    accepted.sendall(b"x" * 3000)
    other = socket.create_connection(("::1", port + 1))
    time.sleep(0.2)
    say("inspect", os.getpid(), client.fileno(), os.fstat(client.fileno()).st_ino, client.getsockname()[1])
    while open("/proc/sys/net/core/somaxconn").read().strip() != "7":
        time.sleep(0.02)
    last = server(port + 2, 100)
    say("again", last.fileno())
    time.sleep(600)


def status(code):
    """End with this status, or by this signal when it is negative."""
    if int(code) < 0:
        os.kill(os.getpid(), -int(code))
        time.sleep(10)
    sys.exit(int(code))


globals()[sys.argv[1]](*sys.argv[2:])
