"""net.ipv4.tcp_congestion_control, the lists beside it, and what sockets make of it. As root; in a network namespace of its own."""
import ctypes
import errno
import os
import socket

libc = ctypes.CDLL(None, use_errno=True)
assert libc.unshare(0x40000000) == 0, os.strerror(ctypes.get_errno())
os.system("ip link set lo up")
BASE = "/proc/sys/net/ipv4/tcp_"


def get(name):
    with open(BASE + name) as f:
        return repr(f.read())


def put(name, value):
    try:
        fd = os.open(BASE + name, os.O_WRONLY)
    except OSError as e:
        return "open " + errno.errorcode[e.errno]
    try:
        return f"{os.write(fd, value)} of {len(value)}"
    except OSError as e:
        return errno.errorcode[e.errno]
    finally:
        os.close(fd)


def of(s):
    return s.getsockopt(socket.SOL_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()


for name in ("available_congestion_control", "allowed_congestion_control"):
    print(name, get(name), oct(os.stat(BASE + name).st_mode), "write:", put(name, b"reno"))
for value in (b"reno", b"reno\n", b"reno\nx", b"reno\0x", b" reno", b"reno cubic", b"\nreno", b"", b" ", b"\n", b"Reno", b"nosuch", b"reno,cubic", b"cubic"):
    print("write", value, put("congestion_control", value), get("congestion_control"))
for chosen in (False, True):
    put("congestion_control", b"reno")
    listener = socket.socket()
    if chosen:
        listener.setsockopt(socket.SOL_TCP, socket.TCP_CONGESTION, b"reno")
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    put("congestion_control", b"bbr")
    client = socket.create_connection(listener.getsockname())
    # What the default is at the accept does not matter: the ACK made the child.
    put("congestion_control", b"reno" if not chosen else b"bbr")
    child, _ = listener.accept()
    print("listener's own choice" if chosen else "default of socket()", of(listener), "child of a handshake under bbr", of(child), "client", of(client))
s = socket.socket()
for name in (b"cubic", b"reno", b"nosuch", b"", b"reno\0x", b"reno cubic"):
    try:
        s.setsockopt(socket.SOL_TCP, socket.TCP_CONGESTION, name)
        print("TCP_CONGESTION", name, "OK", of(s))
    except OSError as e:
        print("TCP_CONGESTION", name, errno.errorcode[e.errno], of(s))
