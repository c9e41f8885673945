"""NS records as the machine's own resolver sees them: one UDP question, with the standard library.

The standard library resolves addresses only, and a package for one question is not worth its
place in the lock file. Format: RFC 1035, sections 4.1.1 to 4.1.4.
"""

from __future__ import annotations

import secrets
import socket
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

RESOLVERS = Path("/etc/resolv.conf")
SECONDS = 3.0
NS, IN = 2, 1
NO_SUCH_NAME = 3
TRUNCATED = 0x0200
ANSWER = 0x8000
MAX_NAMES = 64
"""Labels and pointers followed for one name: an answer that leads in circles has an end."""

Address = tuple[str, int]


class Unreadable(ValueError):
    """An answer that is none, or not to our question."""


def name_servers(
    zone: str, servers: Sequence[Address] | None = None, seconds: float = SECONDS
) -> frozenset[str] | None:
    """The zone's NS records, empty when it has none; None when no resolver gave an answer."""
    for server in system_resolvers() if servers is None else servers:
        try:
            return _asked(zone, server, seconds)
        except (OSError, Unreadable):
            continue
    return None


def system_resolvers(path: Path = RESOLVERS) -> tuple[Address, ...]:
    """The resolvers of this machine; none where there is no such file."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    words = [line.split() for line in lines]
    return tuple((word[1], 53) for word in words if word[:1] == ["nameserver"] and len(word) > 1)


def _asked(zone: str, server: Address, seconds: float) -> frozenset[str]:
    number = secrets.randbelow(1 << 16)
    question = struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + _encoded(zone)
    question += struct.pack(">2H", NS, IN)
    family, kind, protocol, _, address = socket.getaddrinfo(*server, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as asked:
        asked.settimeout(seconds)
        asked.connect(address)
        asked.send(question)
        return parse(asked.recv(4096), number)


def _encoded(zone: str) -> bytes:
    labels = [label.encode("ascii", "replace") for label in zone.rstrip(".").split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def parse(answer: bytes, number: int) -> frozenset[str]:
    """The names in the NS records of an answer to question `number`. Raises Unreadable."""
    try:
        return frozenset(_records(answer, number))
    except (IndexError, struct.error):
        raise Unreadable("the answer ends in the middle") from None


def _records(answer: bytes, number: int) -> Iterator[str]:
    got, flags, questions, count = struct.unpack_from(">4H", answer)
    if got != number or not flags & ANSWER or flags & TRUNCATED:
        raise Unreadable("no answer to this question, or not all of it")
    code = flags & 0xF
    if code not in (0, NO_SUCH_NAME):
        raise Unreadable(f"the resolver refused: {code}")
    at = 12
    for _ in range(questions):
        at = _name(answer, at)[1] + 4
    for _ in range(count):
        at = _name(answer, at)[1]
        kind, _, _, length = struct.unpack_from(">2HIH", answer, at)
        at += 10
        if kind == NS:
            yield _name(answer, at)[0]
        at += length


def _name(answer: bytes, at: int) -> tuple[str, int]:
    """The name at `at` and where it ends; a pointer (two high bits) leads to another place."""
    labels: list[str] = []
    end = 0
    for _ in range(MAX_NAMES):
        length = answer[at]
        if length >= 0xC0:
            end = end or at + 2
            at = (length & 0x3F) << 8 | answer[at + 1]
        elif length == 0:
            return ".".join(labels).lower(), end or at + 1
        else:
            labels.append(answer[at + 1 : at + 1 + length].decode("ascii", "replace"))
            at += 1 + length
    raise Unreadable("a name that leads in circles")
