"""storm.py CONNECTIONS DEPTH SECONDS INTERFACE MEMBER [JOB]: keeps so many calls open on each of so many connections to the bus,
for so long, and leaves without waiting. Speaks the protocol itself, so that it costs itself little. With JOB, the call has it and
empty options as arguments. Prints how many answers came."""
import os
import selectors
import socket
import struct
import sys
import time

PATH, NAME, BUS = "/org/holdfast1", "org.holdfast1", "org.freedesktop.DBus"


def padded(data, size):
    return data + b"\0" * (-len(data) % size)


def text(value):
    return struct.pack("<I", len(value)) + value.encode() + b"\0"


def message(serial, destination, path, interface, member, job=None):
    fields = b""
    for code, kind, value in ((1, "o", path), (2, "s", interface), (3, "s", member), (6, "s", destination)):
        fields = padded(fields, 8) + bytes((code, 1)) + kind.encode() + b"\0" + text(value)
    body = b""
    if job is not None:
        fields = padded(fields, 8) + bytes((8, 1)) + b"g\0" + bytes((6,)) + b"sa{sv}\0"
        body = padded(padded(text(job), 4) + struct.pack("<I", 0), 8)
    header = b"l\x01\x00\x01" + struct.pack("<II", len(body), serial) + struct.pack("<I", len(fields)) + fields
    return padded(header, 8) + body


class Connection:
    def __init__(self, what):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect("/run/dbus/system_bus_socket")
        uid = str(os.getuid()).encode().hex()
        self.socket.sendall(f"\0AUTH EXTERNAL {uid}\r\n".encode())
        assert self.socket.recv(4096).startswith(b"OK")
        self.socket.sendall(b"BEGIN\r\n" + message(1, BUS, "/org/freedesktop/DBus", BUS, "Hello"))
        self.what, self.serial, self.buffer, self.skip, self.answers = what, 1, b"", 0, 0

    def send(self, count):
        for _ in range(count):
            self.serial += 1
            self.socket.sendall(message(self.serial, NAME, PATH, *self.what))

    def read(self):
        """Counts the messages that have come; what is in them is thrown away."""
        self.buffer += self.socket.recv(1 << 20)
        came = 0
        while True:
            dropped = min(self.skip, len(self.buffer))
            self.buffer, self.skip = self.buffer[dropped:], self.skip - dropped
            if self.skip or len(self.buffer) < 16:
                break
            body, _, fields = struct.unpack_from("<III", self.buffer, 4)
            self.skip = 16 + fields + (-fields % 8) + body
            came += self.buffer[1] in (2, 3)
        self.answers += came
        return came


def main():
    connections, depth, seconds = map(int, sys.argv[1:4])
    selector = selectors.DefaultSelector()
    opened = [Connection(sys.argv[4:]) for _ in range(connections)]
    for connection in opened:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(depth)
    print("open", flush=True)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for key, _ in selector.select(0.5):
            key.data.send(key.data.read())
    print(sum(connection.answers for connection in opened))


main()
