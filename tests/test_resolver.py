"""One DNS question: answers that are right, wrong, cut short, or lead in circles."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.preflight import resolver
from infra.preflight.resolver import Address, Unreadable, name_servers, parse

QUESTION = b"\x07staging\x06aspora\x07example\0\0\x02\0\x01"
ZONE = "staging.aspora.example"
POINTER = b"\xc0\x0c"
"""To the name of the question, which begins after the 12 bytes of the header."""


def record(data: bytes, kind: int = 2, name: bytes = POINTER) -> bytes:
    return name + struct.pack(">2HIH", kind, 1, 300, len(data)) + data


def answer(*records: bytes, number: int = 7, flags: int = 0x8180) -> bytes:
    head = struct.pack(">6H", number, flags, 1, len(records), 0, 0)
    return head + QUESTION + b"".join(records)


NS1 = b"\x02ns\x05Route\x02AC\0"
NS2 = b"\x02b1" + POINTER


def test_names_are_read_whole_and_by_pointer_in_lower_case() -> None:
    said = parse(answer(record(NS1), record(b"\1\2\3\4", kind=1), record(NS2)), 7)
    assert said == {"ns.route.ac", f"b1.{ZONE}"}


def test_no_such_name_and_no_record_are_no_name_servers() -> None:
    assert parse(answer(flags=0x8183), 7) == frozenset()
    assert parse(answer(), 7) == frozenset()


LOOP = b"\xc0" + bytes([12 + len(QUESTION)])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the answer ends in the middle"),
        (answer(record(NS1))[:-3], "the answer ends in the middle"),
        (answer(record(NS1), number=8), "no answer to this question, or not all of it"),
        (answer(record(NS1), flags=0x0100), "no answer to this question, or not all of it"),
        (answer(record(NS1), flags=0x8380), "no answer to this question, or not all of it"),
        (answer(flags=0x8182), "the resolver refused: 2"),
        (answer(flags=0x8185), "the resolver refused: 5"),
        (answer(record(NS1, name=LOOP)), "a name that leads in circles"),
    ],
)
def test_answers_that_are_none(data: bytes, said: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(data, 7)
    assert str(caught.value) == said


@given(st.binary(max_size=200))
def test_whatever_arrives_is_names_or_unreadable(data: bytes) -> None:
    for sent in (data, answer(record(data)), answer() + data):
        try:
            said = parse(sent, 7)
        except Unreadable:
            continue
        assert all(isinstance(name, str) for name in said)


@contextmanager
def server(reply: Callable[[bytes], bytes]) -> Iterator[Address]:
    """A resolver on the loopback address that answers one question."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(5)

        def serve() -> None:
            question, whom = listening.recvfrom(4096)
            listening.sendto(reply(question), whom)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()
        thread.join()


def closed_port() -> Address:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        return ("127.0.0.1", found.getsockname()[1])


def test_a_resolver_is_asked_by_the_book() -> None:
    seen: list[bytes] = []

    def reply(question: bytes) -> bytes:
        seen.append(question)
        return answer(record(NS1), number=struct.unpack_from(">H", question)[0])

    with server(reply) as address:
        assert name_servers(f"{ZONE}.", [closed_port(), address]) == frozenset({"ns.route.ac"})
    assert seen[0][2:] == struct.pack(">5H", 0x0100, 1, 0, 0, 0) + QUESTION


def test_nobody_answers() -> None:
    assert name_servers(ZONE, []) is None
    assert name_servers(ZONE, [closed_port()], seconds=0.2) is None
    with server(lambda _: b"?") as address:
        assert name_servers(ZONE, [address]) is None


def test_the_machine_s_resolvers(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("# x\nsearch a\nnameserver 10.0.0.2\nnameserver\nnameserver ::1 # y\n", "utf-8")
    assert resolver.system_resolvers(path) == (("10.0.0.2", 53), ("::1", 53))
    assert resolver.system_resolvers(tmp_path / "none") == ()
