"""A name server for one name: dns.py NAME ADDRESS, UDP and TCP on 127.0.0.1:53. It says which way it was asked."""

import socket
import struct
import sys
import threading

NAME, ADDRESS = sys.argv[1], socket.inet_aton(sys.argv[2])
A, NXDOMAIN = 1, 3


def answer(query):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    kind, _ = struct.unpack("!HH", query[at + 1:at + 5])
    question = query[12:at + 5]
    known = ".".join(labels).lower() == NAME
    records = b"\xc0\x0c" + struct.pack("!HHIH", A, 1, 60, 4) + ADDRESS if known and kind == A else b""
    flags = 0x8180 | (0 if known else NXDOMAIN)
    return query[:2] + struct.pack("!HHHHH", flags, 1, bool(records), 0, 0) + question + records


def tcp(listener):
    while True:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as stream:
            while len(length := stream.read(2)) == 2:
                reply = answer(stream.read(struct.unpack("!H", length)[0]))
                print("asked by TCP", flush=True)
                connection.sendall(struct.pack("!H", len(reply)) + reply)


udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 53))
threading.Thread(target=tcp, args=[socket.create_server(("127.0.0.1", 53))], daemon=True).start()
print("ready", flush=True)
while True:
    query, who = udp.recvfrom(4096)
    print("asked by UDP", flush=True)
    udp.sendto(answer(query), who)
