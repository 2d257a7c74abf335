"""fuzz_bus.py SEED SECONDS [WORD...]: a hostile client of the system bus, to be run as a user who may do nothing.

Calls every method of every interface of every object that it finds by introspection, with right and wrong types, random sizes and
options; in storms; from clients that go away without waiting. WORDs are names and documents that mean something to the service.
Every act has random numbers of its own, made from SEED and the act's number, so that `ONLY=12 fuzz_bus.py SEED 1 …` repeats one.
Prints one JSON object: how many acts, and by method how often it ended how."""
import collections
import json
import os
import random
import sys
import time
import xml.etree.ElementTree

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

NAME, ROOT = "org.holdfast1", "/org/holdfast1"
PATIENCE = 30_000   # ms for a reply; a service that needs longer does not answer
EXTREMES = {"y": (0, 255), "n": (-2**15, 2**15 - 1), "q": (0, 2**16 - 1), "i": (-2**31, 2**31 - 1), "u": (0, 2**32 - 1),
            "x": (-2**63, 2**63 - 1), "t": (0, 2**64 - 1)}
SIGNATURES = ("s", "a{sv}", "sa{sv}", "v", "u", "t", "b", "d", "o", "g", "as", "ay", "av", "a{ss}", "a{sa{sv}}", "(ss)", "aas", "ssssssss", "")
ANY = ("s", "s", "s", "a{sv}", "v", "u", "t", "b", "d", "o", "g", "as", "ay", "av", "a{ss}", "(ss)", "aas")
NASTY = ("", " ", "\n", "../../etc/shadow", "%s%n%x", "'; rm -rf / #", "$(id)", "\u202e\u0000".replace("\0", ""), "ü" * 255, "\U0001f4a3" * 100,
         "null", "{}", "[]", "[" * 20000, '{"a":' * 5000, "1e999", "-0", "\ufeff{}", "true", '"', "\\", "\x01\x7f", "a" * 65536, "x" * (1 << 20))
FLAGS = (Gio.DBusCallFlags.NONE, Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION, Gio.DBusCallFlags.NO_AUTO_START)

Method = collections.namedtuple("Method", "path interface name signature")


def connect():
    address = Gio.dbus_address_get_for_bus_sync(Gio.BusType.SYSTEM)
    kind = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
    connection = Gio.DBusConnection.new_for_address_sync(address, kind, None, None)
    connection.set_exit_on_close(False)
    return connection


def methods_below(connection, path):
    """By introspection, which is itself one of them."""
    reply = connection.call_sync(NAME, path, "org.freedesktop.DBus.Introspectable", "Introspect", None, None, 0, PATIENCE, None)
    found = []
    for node in xml.etree.ElementTree.fromstring(reply.unpack()[0]):
        if node.tag == "node":
            found += methods_below(connection, f"{path}/{node.get('name')}")
        for method in node.findall("method") if node.tag == "interface" else ():
            arguments = [a.get("type") for a in method.findall("arg") if a.get("direction", "in") == "in"]
            found.append(Method(path, node.get("name"), method.get("name"), "".join(arguments)))
    return found


# --- random values ----------------------------------------------------------------------------------------------------------

class Values:
    def __init__(self, dice, words):
        self.dice, self.words = dice, words

    def text(self):
        dice = self.dice
        kind = dice.randrange(10)
        if kind < 5 and self.words:
            return dice.choice(self.words)
        if kind < 7:
            return dice.choice(NASTY)
        if kind < 8 and self.words:
            return self.mutated(dice.choice(self.words))
        return "".join(chr(dice.randrange(1, 0xD7FF)) for _ in range(dice.randrange(40)))

    def mutated(self, text):
        characters = list(text)
        for _ in range(self.dice.randrange(1, 6)):
            at = self.dice.randrange(len(characters) + 1)
            characters[at:at + self.dice.randrange(3)] = self.dice.choice(("", "}", "[", "0", "\\u0000", '"', ",", "é", "-", " "))
        return "".join(characters)

    def variant(self, signature, depth=0):
        return GLib.Variant(signature, self.value(signature, depth))

    def value(self, signature, depth=0):
        dice = self.dice
        kind = signature[0]
        if kind in EXTREMES:
            low, high = EXTREMES[kind]
            return dice.choice((low, high, 0, 1, dice.randint(low, high), dice.randint(0, min(high, 2000))))
        if kind == "a":
            count = dice.choice((0, 0, 1, 2, 7, 300 if depth == 0 else 3))
            if signature[1] == "{":
                return {self.value(signature[2], depth + 1) or "key": self.value(signature[3:-1], depth + 1) for _ in range(min(count, 20))}
            return [self.value(signature[1:], depth + 1) for _ in range(count)]
        if kind == "(":
            return tuple(self.value(part, depth + 1) for part in single_types(signature[1:-1]))
        return {
            "s": self.text,
            "o": lambda: dice.choice(("/", ROOT, f"{ROOT}/job/x", f"{ROOT}/run/" + "0" * 32, "/a" * 500)),
            "g": lambda: dice.choice(("", "s", "a{sv}", "(" * 30 + "s" + ")" * 30)),
            "b": lambda: dice.random() < 0.5,
            "d": lambda: dice.choice((0.0, -1.5, float("inf"), float("nan"), 1e308)),
            "v": lambda: self.variant(self.kind_of_variant(depth), depth + 1),
        }[kind]()

    def kind_of_variant(self, depth):
        """Wide near the top, narrow but deep below: the bus itself takes 64 levels."""
        if depth < 3:
            return self.dice.choice(ANY)
        return "v" if depth < 40 and self.dice.random() < 0.9 else self.dice.choice("stbd")

    def arguments(self, signature):
        """Of a call: what the method takes, mostly; sometimes something else."""
        if self.dice.random() < 0.15:
            signature = self.dice.choice(SIGNATURES)
        return GLib.Variant.new_tuple(*map(self.argument, single_types(signature)))

    def argument(self, signature):
        """Options that nobody knows would keep the rest of a call from being looked at."""
        if signature == "a{sv}" and self.dice.random() < 0.7:
            return GLib.Variant("a{sv}", {})
        return self.variant(signature)


def single_types(signature):
    """Complete types, one after another."""
    parts, begin, depth = [], 0, 0
    for end, kind in enumerate(signature, 1):
        depth += (kind in "({") - (kind in ")}")
        if depth == 0 and kind != "a":
            parts.append(signature[begin:end])
            begin = end
    return parts


# --- acts -------------------------------------------------------------------------------------------------------------------

class Client:
    def __init__(self, words):
        self.connection, self.words = connect(), words
        self.outcomes = collections.defaultdict(collections.Counter)
        self.methods = methods_below(self.connection, ROOT)
        self.waiting = 0

    def pick(self, dice):
        method = dice.choice(self.methods)
        path = dice.choice((ROOT, f"{ROOT}/job/nobody", "/")) if dice.random() < 0.05 else method.path
        return method, (NAME, path, method.interface, method.name, Values(dice, self.words).arguments(method.signature), None, dice.choice(FLAGS))

    def note(self, method, connection, result):
        try:
            connection.call_finish(result)
            outcome = "reply"
        except GLib.Error as error:
            outcome = Gio.DBusError.get_remote_error(error) or "no reply"
        self.outcomes[f"{method.interface}.{method.name}"][outcome] += 1
        self.waiting -= 1

    def send(self, dice, calls):
        """Sends them all, then waits for all the answers."""
        for _ in range(calls):
            method, call = self.pick(dice)
            self.waiting += 1
            self.connection.call(*call, PATIENCE, None, lambda connection, result, method=method: self.note(method, connection, result))
        while self.waiting:
            GLib.MainContext.default().iteration(True)

    def vanish(self, dice):
        connection = connect()
        for _ in range(dice.randrange(1, 50)):
            connection.call(*self.pick(dice)[1], PATIENCE, None, None)
        if dice.random() < 0.5:
            connection.flush_sync(None)
        connection.close_sync(None)

    def act(self, dice):
        kind = dice.random()
        if kind < 0.1:
            self.send(dice, dice.randrange(50, 200))
        elif kind < 0.2:
            self.vanish(dice)
        else:
            self.send(dice, 1)


def main():
    seed, seconds, words = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
    client = Client(words)
    end, number = time.monotonic() + seconds, 0
    if only := os.environ.get("ONLY"):
        client.act(random.Random(f"{seed}/{only}"))
    else:
        while time.monotonic() < end:
            client.act(random.Random(f"{seed}/{number}"))
            number += 1
    print(json.dumps({"acts": number, "outcomes": client.outcomes}))


if __name__ == "__main__":
    main()
