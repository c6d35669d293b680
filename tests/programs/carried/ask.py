"""Asks the name server of resolv.conf by UDP, as a resolver does that does not know use-vc: ask.py NAME."""

import socket
import struct
import sys

server = next(line.split()[1] for line in open("/etc/resolv.conf") if line.startswith("nameserver"))
name = b"".join(bytes([len(label)]) + label.encode() for label in sys.argv[1].split(".")) + b"\0"
query = struct.pack("!HHHHHH", 0x4242, 0x0100, 1, 0, 0, 0) + name + struct.pack("!HH", 1, 1)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.settimeout(20)
udp.connect((server, 53))
udp.send(query)
reply = udp.recv(4096)
assert reply[:2] == query[:2] and reply[2] & 0x80, reply
code, answers = reply[3] & 15, struct.unpack("!H", reply[6:8])[0]
print("udp", code, socket.inet_ntoa(reply[-4:]) if answers else "none")
