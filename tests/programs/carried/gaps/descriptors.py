"""What a descriptor is besides: ioctl, fcntl, files, passing, inheritance."""

import ctypes
import fcntl
import mmap
import os
import signal
import socket
import struct
import time

from sockets import SOL, c, each_state, has, joined, listener, mask, probe, states, try_, unix_pair, until


@probe
def ioctls():
    for name, request in [("INQ", 0x541B), ("OUTQ", 0x5411), ("OUTQNSD", 0x894B), ("ATMARK", 0x8905), ("GETOWN", 0x8903), ("GPGRP", 0x8904),
                          ("GSTAMP", 0x8906), ("NREAD2", 0x4004667F), ("TCGETS", 0x5401), ("UNKNOWN", 0x89FF)]:
        def ask(s):
            room = ctypes.create_string_buffer(64)
            r = c("ioctl", s.fileno(), ctypes.c_ulong(request), room)
            return r, struct.unpack("i", room.raw[:4])[0]
        for state, answer in each_state(ask):
            # SIOCOUTQ subtracts sequence numbers, of which an ended connection leaves any.
            if "OUTQ" not in name or state in ("fresh", "listening", "connecting", "established", "with data"):
                yield f"{name} {state}", answer


@probe
def fcntls():
    def ask(s):
        fd = s.fileno()
        return (hex(fcntl.fcntl(fd, fcntl.F_GETFL)), fcntl.fcntl(fd, fcntl.F_GETFD), fcntl.fcntl(fd, fcntl.F_GETOWN),
                try_(fcntl.fcntl, fd, 1032), try_(fcntl.lockf, fd, fcntl.LOCK_EX | fcntl.LOCK_NB), try_(fcntl.fcntl, fd, fcntl.F_SETFL, os.O_APPEND),
                try_(fcntl.fcntl, fd, fcntl.F_SETFL, os.O_DIRECT))
    for state, s, keep in states():
        yield state, ask(s)


@probe
def files():
    a, b = joined()
    fd = a.fileno()
    st = os.fstat(fd)
    yield "mode", (oct(st.st_mode), st.st_size, st.st_nlink, st.st_uid == os.getuid(), st.st_blksize, st.st_rdev)
    yield "link", (os.readlink(f"/proc/self/fd/{fd}") == f"socket:[{st.st_ino}]")
    yield "open again", try_(os.open, f"/proc/self/fd/{fd}", os.O_RDWR)
    yield "seek", try_(os.lseek, fd, 0, 0)
    yield "pread", try_(os.pread, fd, 1, 0)
    yield "pwrite", try_(os.pwrite, fd, b"x", 0)
    yield "truncate", try_(os.ftruncate, fd, 0)
    yield "sync", try_(os.fsync, fd)
    yield "datasync", try_(os.fdatasync, fd)
    yield "fallocate", try_(os.posix_fallocate, fd, 0, 10)
    yield "advise", try_(os.posix_fadvise, fd, 0, 10, 0)
    try:
        mmap.mmap(fd, 4096)
        yield "map", "mapped"
    except (OSError, ValueError) as e:
        yield "map", str(e)[:12]
    yield "chmod", try_(os.fchmod, fd, 0o600)
    yield "chown", try_(os.fchown, fd, os.getuid(), -1)
    yield "chdir", try_(os.fchdir, fd)
    yield "xattrs", try_(os.listxattr, fd)
    yield "xattr", try_(os.getxattr, fd, "system.sockprotoname")
    yield "statfs", hex(os.fstatvfs(fd).f_bsize)
    yield "fdinfo", [l.split(":")[0] for l in open(f"/proc/self/fdinfo/{fd}")]
    yield "copy_file_range", try_(os.copy_file_range, fd, b.fileno(), 10)
    yield "tty", os.isatty(fd)
    yield "kcmp", c("syscall", 312, os.getpid(), os.getpid(), 0, ctypes.c_ulong(fd), ctypes.c_ulong(os.dup(fd)))
    yield "pidfd_getfd", c("syscall", 438, os.pidfd_open(os.getpid()), fd, 0) > 0
    for flag in ("O_RDONLY", "O_PATH"):
        yield flag, try_(os.open, f"/dev/fd/{fd}", getattr(os, flag)) if flag != "O_PATH" else os.open(f"/dev/fd/{fd}", os.O_PATH) > 0


@probe
def proc():
    a, b = joined()
    port = "%04X" % a.getsockname()[1]
    yield "tcp", sum(port in l for l in open("/proc/net/tcp"))
    a6, b6 = joined(socket.AF_INET6)
    port = "%04X" % a6.getsockname()[1]
    yield "tcp6", sum(port in l for l in open("/proc/net/tcp6"))
    inode = str(os.fstat(a.fileno()).st_ino)
    yield "unix", sum(inode in l.split() for l in open("/proc/net/unix"))
    words = [l.split() for l in open("/proc/net/sockstat") if l.startswith("TCP:")][0]
    yield "sockstat", int(words[words.index("inuse") + 1]) >= 2
    snmp = [l.split() for l in open("/proc/net/snmp") if l.startswith("Tcp:")]
    yield "snmp", int(dict(zip(*snmp))["ActiveOpens"]) > 0
    yield "sysctl rmem", len(open("/proc/sys/net/ipv4/tcp_rmem").read().split())


@probe
def tee():
    a, b = joined()
    r, w = os.pipe()
    r2, w2 = os.pipe()
    os.write(w, b"through a pipe")
    yield "tee", try_(c, "tee", r, w2, 100, 0)
    yield "splice in", os.splice(r2, a.fileno(), 100)
    has(b, "IN")
    yield "splice out", os.splice(b.fileno(), w2, 100)
    b.setsockopt(SOL, socket.SO_RCVTIMEO, struct.pack("qq", 0, 100_000))
    begun = time.monotonic()
    got = c("splice", b.fileno(), None, w2, None, 100, 2)
    yield "splice with SPLICE_F_NONBLOCK waits", (got, time.monotonic() - begun > 0.05)
    b.setblocking(False)
    yield "splice from non-blocking", try_(os.splice, b.fileno(), w2, 100)
    yield "tee of a socket", c("tee", b.fileno(), w2, 100, 0)
    yield "splice of two sockets", try_(os.splice, b.fileno(), a.fileno(), 100)
    yield "vmsplice", c("vmsplice", a.fileno(), None, 0, 0)
    yield "sendfile from a socket", try_(os.sendfile, a.fileno(), b.fileno(), None, 100)
    a.shutdown(socket.SHUT_WR)
    has(b, "RDHUP")
    yield "splice at the end", try_(os.splice, b.fileno(), w2, 100)
    with open(__file__, "rb") as f:
        yield "sendfile after the end", try_(os.sendfile, a.fileno(), f.fileno(), 0, 100)
        s = socket.socket()
        yield "sendfile on a fresh one", try_(os.sendfile, s.fileno(), f.fileno(), 0, 100)


@probe
def passing():
    for family in (socket.AF_INET, socket.AF_INET6):
        a, b = joined(family)
        here, there = unix_pair()
        socket.send_fds(here, [b"x"], [a.fileno(), b.fileno()])
        _, fds, _, _ = socket.recv_fds(there, 10, 5)
        a.close()
        b.close()
        c2, d2 = (socket.socket(fileno=f) for f in fds)
        c2.send(b"passed")
        yield f"{family.name} data", d2.recv(10)
        yield f"{family.name} names", c2.getpeername() == d2.getsockname()
    a, b = joined()
    here, there = unix_pair()
    socket.send_fds(here, [b"x"], [a.fileno()])
    a.close()
    yield "in flight stays open", mask(b)
    here.close()
    there.close()
    yield "closed with its carrier", until(b, "IN+OUT+RDNORM+WRNORM+RDHUP")


@probe
def inherit():
    a, b = joined()
    if (child := os.fork()) == 0:
        b.close()
        os.write(a.fileno(), b"child")
        os._exit(0)
    a.close()
    os.waitpid(child, 0)
    yield "child wrote", (b.recv(10), b.recv(10))
    a, b = joined()
    for s in (a, b):
        s.set_inheritable(False)
    if (child := os.fork()) == 0:
        os.execvp("sh", ["sh", "-c", f"test -e /proc/self/fd/{a.fileno()} && exit 1; exit 0"])
    yield "close on exec", os.waitpid(child, 0)[1]
    a, b = joined()
    os.dup2(b.fileno(), 200)
    b.close()
    a.send(b"dup2")
    yield "dup2", os.read(200, 10)
    os.close(200)
    yield "its close", until(a, "IN+OUT+RDNORM+WRNORM+RDHUP")
    c_, d = joined()
    e, f = joined()
    os.dup2(c_.fileno(), e.fileno())
    yield "dup2 over an open one", (until(f, "IN+OUT+RDNORM+WRNORM+RDHUP"), c_.getsockname() == e.getsockname())
    a, b = joined()
    if (child := os.fork()) == 0:
        b.close()
        signal.pause()
    a.close()
    yield "held by a child", mask(b)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    yield "released by its death", until(b, "IN+OUT+RDNORM+WRNORM+RDHUP")
    l = listener()
    if (child := os.fork()) == 0:
        s, _ = l.accept()
        s.send(b"from the child")
        os._exit(0)
    s = socket.create_connection(l.getsockname())
    yield "accepted by a child", s.recv(100)
    os.waitpid(child, 0)
    a, b = joined()
    yield "close_range", (c("close_range", a.fileno(), a.fileno(), 0), until(b, "IN+OUT+RDNORM+WRNORM+RDHUP"))
    a.detach()
