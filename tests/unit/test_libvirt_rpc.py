# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the facts make of a daemon that does not speak as libvirt does: a doubt that is named, never a traceback and never a holder."""

from __future__ import annotations

import os
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.vfpool.sriov.plugins.module_utils import _guests, _libvirt_rpc, _record
from ansible_collections.vfpool.sriov.plugins.module_utils._claims import Guests, holder
from ansible_collections.vfpool.sriov.plugins.module_utils._guests import ask_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._journal import Journal

HEADER = struct.Struct(">7I")
PORT = "<networkport><owner><name>web1</name><uuid>u</uuid></owner><plug type='direct' dev='v0'/></networkport>"
DOMAIN = "<domain><name>db1</name><uuid>d</uuid><devices><interface type='direct'><source dev='v1'/></interface></devices></domain>"


def number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def text(value: str) -> bytes:
    encoded = value.encode()
    return number(len(encoded)) + encoded + bytes(-len(encoded) % 4)


UUID = bytes(range(16))
# What each procedure answers on a host with one network, one lease and one running guest.
ANSWERS = {
    66: number(1) + number(0),
    1: b"",
    283: number(1) + text("pool") + UUID,
    404: number(1) + text("pool") + UUID + UUID,
    409: text(PORT),
    273: number(1) + text("db1") + UUID + number(1),
    14: text(DOMAIN),
}
Reply = Callable[[int, int], bytes]


@pytest.fixture(autouse=True, scope="module")
def patience() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_libvirt_rpc, "_TIMEOUT", 0.5)
        yield


def reply(procedure: int, serial: int, body: bytes | None = None, *, program: int = 0x20008086, version: int = 1, kind: int = 1, status: int = 0,
          length: int | None = None) -> bytes:  # fmt: skip
    body = ANSWERS[procedure] if body is None else body
    return HEADER.pack(HEADER.size + len(body) if length is None else length, program, version, procedure, kind, serial, status) + body


def refusal(procedure: int, serial: int) -> bytes:
    return reply(procedure, serial, number(38) + number(7) + number(1) + text("cannot\nopen it"), status=1)


@contextmanager
def daemon(answer: Reply, socket_name: str = "libvirt-sock-ro", heard: list[tuple[int, bytes]] | None = None) -> Iterator[str]:
    """A folder with the socket of a daemon that gives these answers; an empty one closes the connection. What it is asked is added to ``heard``.

    It may stand for /proc, too, as that of a host with one process.
    """
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(Path(folder, socket_name)))
        listening.listen()
        Path(folder, "1").mkdir()

        def serve() -> None:
            while True:
                try:
                    connection = listening.accept()[0]
                except OSError:
                    return
                with connection:
                    converse(connection, answer, [] if heard is None else heard)

        server = threading.Thread(target=serve)
        server.start()
        try:
            yield folder
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            server.join()


def converse(connection: socket.socket, answer: Reply, heard: list[tuple[int, bytes]]) -> None:
    try:
        while len(header := connection.recv(HEADER.size)) == HEADER.size:
            length, _program, _version, procedure, _kind, serial, _status = HEADER.unpack(header)
            heard.append((procedure, connection.recv(length - HEADER.size) if length > HEADER.size else b""))
            said = answer(procedure, serial)
            if not said:
                return
            connection.sendall(said)
    except OSError:
        return  # the other side has heard enough


def ask(answer: Reply, socket_name: str = "libvirt-sock-ro") -> Guests:
    with daemon(answer, socket_name) as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(_guests, "_SOCKETS", folder)
        return ask_libvirt()


@pytest.mark.parametrize("name", ["libvirt-sock-ro", "virtqemud-sock-ro", "virtqemud-sock"])
def test_every_lease_and_every_guest_is_heard(name: str) -> None:
    """Of the sockets of a split daemon that has not run yet, that for reading may not listen."""
    guests = ask(reply, name)
    assert guests.claims == [("v0", holder("libvirt_port", "web1", "u", "pool")), ("v1", holder("libvirt_domain", "db1", "d"))]
    assert guests.doubt is None


def test_running_guests_are_asked_for_as_they_run_and_defined_ones_as_they_will_start(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[int, bytes]] = []
    with daemon(reply, heard=heard) as folder:
        monkeypatch.setattr(_guests, "_SOCKETS", folder)
        ask_libvirt()
    network, domain = text("pool") + UUID, text("db1") + UUID + number(1)
    active, persistent, live, inactive = number(1), number(4), number(0), number(2)
    assert heard == [
        (66, b""),
        (1, number(1) + text("qemu:///system") + number(1)),
        (283, number(1) + number(2)),
        (404, network + number(1) + number(0)),
        (409, network + UUID + number(0)),
        (273, number(1) + active),
        (14, domain + live),
        (273, number(1) + persistent),
        (14, domain + inactive),
    ]


@pytest.mark.parametrize(
    ("procedure", "code", "gone"), [(409, 107, True), (14, 42, True), (409, 42, False), (14, 107, False), (409, 38, False), (14, 38, False)]
)
def test_a_lease_or_a_guest_that_goes_away_meanwhile_is_left_out_and_one_that_is_refused_is_a_doubt(procedure: int, code: int, gone: bool) -> None:
    said = number(code) + number(7) + number(1) + text("no")
    guests = ask(lambda asked, serial: reply(asked, serial, said, status=1) if asked == procedure else reply(asked, serial))
    if gone:
        assert guests.doubt is None
        assert [claim.device for claim in guests.claims] == ["v1" if procedure == 409 else "v0"]
    else:
        assert guests.doubt and guests.doubt.endswith("does not tell what its guests hold: no")


def test_a_daemon_that_refuses_without_a_word_is_quoted_with_its_number() -> None:
    said = number(38) + number(7) + number(0)
    guests = ask(lambda procedure, serial: reply(procedure, serial, said, status=1))
    assert guests == Guests([], {}, "libvirt at network:///system does not tell what its guests hold: error 38")


def test_a_guest_that_is_defined_and_does_not_run_is_promised_its_vf() -> None:
    """And of one that runs, what it will have at its next start beside what it has now."""
    devices = "<interface type='direct'><source dev='{}'/></interface>"
    asked = iter([DOMAIN, DOMAIN.replace("</devices>", devices.format("v2") + "</devices>")])
    running = ask(lambda procedure, serial: reply(procedure, serial, text(next(asked)) if procedure == 14 else None)).claims
    promised = holder("libvirt_domain", "db1", "d", active=False)
    assert running[1:] == [("v1", holder("libvirt_domain", "db1", "d")), ("v2", promised)]
    listed = iter([number(0), ANSWERS[273]])
    stopped = ask(lambda procedure, serial: reply(procedure, serial, next(listed) if procedure == 273 else None)).claims
    assert stopped[1:] == [("v1", promised)]


def test_where_networks_alone_have_a_daemon_leases_are_heard_and_guests_are_in_doubt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    heard: list[tuple[int, bytes]] = []
    monkeypatch.setattr(_guests, "_DAEMONS", (str(tmp_path),))
    with daemon(reply, "virtnetworkd-sock-ro", heard) as folder:
        monkeypatch.setattr(_guests, "_SOCKETS", folder)
        guests = ask_libvirt()
    assert [claim.device for claim in guests.claims] == ["v0"]
    assert guests.doubt == "libvirt is not running: start libvirtd.socket or virtqemud.socket"
    assert [said for procedure, said in heard if procedure == 1] == [number(1) + text("network:///system") + number(1)]


def test_a_lease_that_a_rebuild_is_yet_to_put_back_is_held_and_one_that_is_back_is_the_ledgers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_record, "FOLDER", str(tmp_path))
    port = "<networkport><uuid>{0}</uuid><owner><name>{0}</name><uuid>u</uuid></owner><plug type='direct' dev='{1}'/></networkport>"
    journal = Journal("n", str(tmp_path))
    journal.write("", "<network><name>n</name></network>", [port.format("kept", "v5")], [port.format("taken", "v6"), port.format("back", "v7")])
    (tmp_path / "n.lock").write_text("no record")
    assert [claim.device for claim in ask(reply).claims] == ["v0", "v1"]
    journal.stopping()
    journal.mark("back")
    claims = ask(reply).claims
    assert claims[:2] == [("v6", holder("libvirt_port", "taken", "u", "n")), ("v5", holder("libvirt_port", "kept", "u", "n"))]
    assert [claim.device for claim in claims[2:]] == ["v0", "v1"]


@pytest.mark.parametrize(
    "damage",
    [
        Path.mkdir,
        lambda record: os.symlink(record, record),
        lambda record: record.write_text(""),
        lambda record: record.write_text("null\n"),
        lambda record: record.write_text("{}\n"),
        lambda record: record.write_text('{"xml": 1, "leases": []}\n'),
        lambda record: record.write_text('{"xml": "<network/>", "leases": ["web1"]}\nstopped\n'),
        lambda record: record.write_bytes(b"\xff\n"),
    ],
)
def test_a_record_that_cannot_be_read_is_a_doubt_beside_what_libvirt_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], Any]
) -> None:
    monkeypatch.setattr(_record, "FOLDER", str(tmp_path))
    damage(Path(Journal("n", str(tmp_path)).path))
    guests = ask(reply)
    assert [claim.device for claim in guests.claims] == ["v0", "v1"]
    assert guests.doubt and guests.doubt.startswith(f"the leases on record in {tmp_path} cannot be read: ")


def test_a_rebuild_that_begins_and_ends_while_libvirt_is_asked_leaves_no_lease_out_in_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_record, "FOLDER", str(tmp_path))
    record = tmp_path / "network-pool.rebuild"

    def answer(procedure: int, serial: int) -> bytes:
        record.touch()
        record.unlink()
        return reply(procedure, serial)

    assert ask(reply).doubt is None
    assert ask(answer).doubt == "a network was being rebuilt while libvirt was asked: gather the facts again"


@pytest.mark.parametrize(
    ("answer", "doubt"),
    [
        (lambda procedure, serial: reply(procedure, serial, version=2), "its answer is not one of libvirt's protocol"),
        (lambda procedure, serial: reply(procedure, serial, program=7), "its answer is not one of libvirt's protocol"),
        (lambda procedure, serial: reply(procedure, serial + 1), "its answer is not one of libvirt's protocol"),
        (lambda procedure, serial: reply(procedure, serial, kind=2), "its answer is not one of libvirt's protocol"),
        (lambda procedure, serial: reply(procedure, serial, status=2), "its answer is not one of libvirt's protocol"),
        (lambda procedure, serial: reply(procedure, serial, length=0xFFFFFFFF), "its answer is not one of libvirt's protocol"),
        (lambda procedure, serial: reply(procedure, serial, length=12), "its answer is not one of libvirt's protocol"),
        (lambda _procedure, _serial: b"HTTP/1.1 400 Bad Request\r\n\r\n", "its answer is not one of libvirt's protocol"),
        (lambda _procedure, _serial: b"", "it closed the connection"),
        (lambda procedure, serial: reply(procedure, serial) if procedure != 283 else reply(283, serial, number(10**6)), "its answer ends too early"),
        (lambda procedure, serial: reply(procedure, serial) if procedure != 14 else reply(14, serial, number(2**31)), "its answer ends too early"),
        (lambda procedure, serial: reply(procedure, serial) if procedure != 1 else reply(1, serial, status=1), "its answer ends too early"),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_libvirts_is_a_doubt_and_holds_nothing(answer: Reply, doubt: str) -> None:
    assert ask(answer) == Guests([], {}, f"libvirt is not running, or does not answer: {doubt}")


def test_a_daemon_that_says_nothing_is_not_waited_for_without_end() -> None:
    assert ask(lambda procedure, serial: reply(procedure, serial)[:-1]) == Guests([], {}, "libvirt is not running, or does not answer: timed out")


def test_one_guest_that_does_not_answer_takes_nothing_from_what_was_told_of_others() -> None:
    """As while its monitor waits for a QEMU that was stopped."""
    guests = ask(lambda procedure, serial: reply(procedure, serial)[: -1 if procedure == 14 else None])
    assert [claim.holder["name"] for claim in guests.claims] == ["web1"]
    assert guests.doubt == "libvirt at qemu:///system does not tell what its guests hold: no answer about the guest db1 in 0.5 s"


def test_a_daemon_that_refuses_is_quoted_in_one_line() -> None:
    assert ask(refusal) == Guests([], {}, "libvirt at network:///system does not tell what its guests hold: cannot open it")


def test_leases_are_heard_where_guests_are_not_and_the_doubt_remains() -> None:
    guests = ask(lambda procedure, serial: refusal(procedure, serial) if procedure == 273 else reply(procedure, serial))
    assert [claim.holder["kind"] for claim in guests.claims] == ["libvirt_port"]
    assert guests.doubt == "libvirt at qemu:///system does not tell what its guests hold: cannot open it"


@pytest.mark.parametrize("nonsense", ["<domain", "", "<domain><devices><hostdev type='pci'><source><address bus='?'/></source></hostdev></devices></domain>"])
def test_a_document_that_makes_no_sense_is_a_doubt(nonsense: str) -> None:
    guests = ask(lambda procedure, serial: reply(procedure, serial, text(nonsense) if procedure == 14 else None))
    assert [claim.holder["kind"] for claim in guests.claims] == ["libvirt_port"]
    assert guests.doubt and guests.doubt.startswith("libvirt at qemu:///system does not tell what its guests hold: ")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(ANSWERS)), st.binary(max_size=64), st.integers(0, 200), st.booleans())
def test_whatever_is_damaged_in_an_answer_there_is_no_traceback(procedure: int, noise: bytes, at: int, framed: bool) -> None:
    def answer(asked: int, serial: int) -> bytes:
        if asked != procedure:
            return reply(asked, serial)
        if framed:  # the frame is right, and what it holds is not
            body = ANSWERS[asked]
            return reply(asked, serial, body[:at] + noise + body[at + len(noise) :])
        whole = reply(asked, serial)
        return (whole[:at] + noise + whole[at + len(noise) :])[: len(whole)] + bytes(16)

    guests = ask(answer)
    assert all(isinstance(claim.device, str) for claim in guests.claims)
