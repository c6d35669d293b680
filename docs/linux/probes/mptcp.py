"""MPTCP sockets and plain TCP peers: what a listener hands out, and which options differ from a TCP socket's.

No packet leaves lo of a namespace of its own; no peer speaks MPTCP except where said.
"""
import ctypes
import errno
import os
import socket
import struct
import subprocess

MPTCP = 262
LEVELS = {"SOCKET": (1, range(1, 84)), "IP": (0, range(1, 61)), "IPV6": (41, range(1, 81)), "TCP": (6, range(1, 48)), "MPTCP": (284, range(1, 8))}


def said(call):
    try:
        return "ok" if (r := call()) is None else r
    except OSError as e:
        return errno.errorcode[e.errno]


def outcome(family, protocol, level, name, get):
    s = socket.socket(family, socket.SOCK_STREAM, protocol)
    with s:
        if get:
            r = said(lambda: s.getsockopt(level, name, 64))
            return "ok" if isinstance(r, bytes) else r
        return said(lambda: s.setsockopt(level, name, struct.pack("i", 1)))


def t_options():
    for family in (socket.AF_INET, socket.AF_INET6):
        for label, (level, names) in LEVELS.items():
            for get in (True, False):
                table = {}
                for name in names:
                    tcp, mptcp = (outcome(family, p, level, name, get) for p in (6, MPTCP))
                    if tcp != mptcp:
                        table.setdefault(f"{tcp} -> {mptcp}", []).append(name)
                for change, which in table.items():
                    print(family.name, label, "get" if get else "set", change, *which)


def t_children():
    for family, lo in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        listener = socket.socket(family, socket.SOCK_STREAM, MPTCP)
        listener.bind((lo, 8000))
        listener.listen(3)
        client = socket.create_connection((lo, 8000))
        child, _ = listener.accept()
        for label, s in (("listener", listener), ("child", child)):
            print(family.name, label, "SO_PROTOCOL", s.getsockopt(1, 38), "TCP_IS_MPTCP", s.getsockopt(6, 43), "MPTCP_INFO",
                  said(lambda: s.getsockopt(284, 1, 4)), "SYNCNT", said(lambda: s.setsockopt(6, 7, 3)))
        plain = socket.socket(family)
        plain.bind((lo, 8001))
        plain.listen(3)
        back = socket.socket(family, socket.SOCK_STREAM, MPTCP)
        print(family.name, "client before", back.getsockopt(1, 38), back.getsockopt(6, 43))
        back.connect((lo, 8001))
        plain.accept()
        print(family.name, "client that fell back", back.getsockopt(1, 38), back.getsockopt(6, 43), said(lambda: back.getsockopt(284, 1, 4)), "SYNCNT get",
              said(lambda: back.getsockopt(6, 7)), "set", said(lambda: back.setsockopt(6, 7, 3)))


def t_disabled():
    with open("/proc/sys/net/mptcp/enabled", "w") as f:
        f.write("0")
    for family in (socket.AF_INET, socket.AF_INET6):
        print(family.name, "disabled", said(lambda: socket.socket(family, socket.SOCK_STREAM, MPTCP)))
    for text in ("1", "2", "-1", "x", "255", "256"):
        print("enabled =", text, said(lambda: open("/proc/sys/net/mptcp/enabled", "w").write(text) and None), open("/proc/sys/net/mptcp/enabled").read().strip())


if __name__ == "__main__":
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000):
        raise SystemExit(os.strerror(ctypes.get_errno()))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    t_options()
    t_children()
    t_disabled()
