import struct

M = (1 << 64) - 1


def rotl(x, b):
    return ((x << b) | (x >> (64 - b))) & M


def siphash24(key, data):
    k0, k1 = struct.unpack("<QQ", key)
    v0 = 0x736F6D6570736575 ^ k0
    v1 = 0x646F72616E646F6D ^ k1
    v2 = 0x6C7967656E657261 ^ k0
    v3 = 0x7465646279746573 ^ k1

    def rnd(v0, v1, v2, v3):
        v0 = (v0 + v1) & M
        v1 = rotl(v1, 13)
        v1 ^= v0
        v0 = rotl(v0, 32)
        v2 = (v2 + v3) & M
        v3 = rotl(v3, 16)
        v3 ^= v2
        v0 = (v0 + v3) & M
        v3 = rotl(v3, 21)
        v3 ^= v0
        v2 = (v2 + v1) & M
        v1 = rotl(v1, 17)
        v1 ^= v2
        v2 = rotl(v2, 32)
        return v0, v1, v2, v3

    b = len(data) << 56 & M
    n = len(data) // 8 * 8
    for i in range(0, n, 8):
        m = struct.unpack_from("<Q", data, i)[0]
        v3 ^= m
        for _ in range(2):
            v0, v1, v2, v3 = rnd(v0, v1, v2, v3)
        v0 ^= m
    for i, c in enumerate(data[n:]):
        b |= c << (8 * i)
    v3 ^= b
    for _ in range(2):
        v0, v1, v2, v3 = rnd(v0, v1, v2, v3)
    v0 ^= b
    v2 ^= 255
    for _ in range(4):
        v0, v1, v2, v3 = rnd(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3
