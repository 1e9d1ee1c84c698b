# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the connection to a libvirt daemon, and its errors in words that say what to do."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._interpreter import require

__all__ = ["NOT_RUNNING", "NO_DOMAIN", "NO_NETWORK", "NO_PORT", "connection", "daemon_key", "error_code", "is_local", "libvirt", "network_key",
           "said_by_libvirt"]  # fmt: skip

# Of virterror.h; by number, because explaining must not need a binding that knows every name.
_AUTHENTICATION = (29, 45, 79, 80, 88)
NO_DOMAIN, NO_NETWORK, NOT_RUNNING, NO_PORT = 42, 43, 55, 107
_SOCKETS = "/run/libvirt"  # where those of all daemons of the system are


def libvirt() -> Any:
    """The module libvirt, silent on standard error. Raises SriovError where it is not installed."""
    require("libvirt")
    import libvirt as module

    module.registerErrorHandler(lambda *_: None, None)
    return module


def _split(uri: str) -> SplitResult:
    with contextlib.suppress(ValueError):
        if urlsplit(uri).scheme and uri.isprintable():
            return urlsplit(uri)
    raise SriovError(f"uri {uri!r} is no URI of libvirt: write one such as qemu:///system or qemu+ssh://host/system.")


def _host(parts: SplitResult) -> str:
    """The host that a URI names, empty for this one. With a port it is another, to which that may be a tunnel."""
    host = parts.netloc.rpartition("@")[2].lower()
    return "" if not host or _is_loopback(host) or _is_own_name(host) else host


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address  # most URIs name no host

    with contextlib.suppress(ValueError):
        return ip_address(host.strip("[]")).is_loopback
    return host in ("localhost", "localhost.localdomain") or host.endswith(".localhost")


def _is_own_name(host: str) -> bool:
    """Whether this host is called so, with its domain or without."""
    own = os.uname().nodename.lower()
    if host.split(".", maxsplit=1)[0] != own.split(".", maxsplit=1)[0]:  # so that no other host is looked up
        return False
    from socket import getfqdn

    return host in (own, own.split(".", maxsplit=1)[0], getfqdn().lower())


def is_local(uri: str) -> bool:
    """Whether the daemon at ``uri`` serves this host, so that this host's sysfs tells of its devices."""
    return not _host(_split(uri))


def daemon_key(uri: str) -> str:
    """What one daemon is locked under, whatever the driver, the transport and the user: ``system`` or ``session`` on this host, else ``host/system``.

    The daemons of one system have their sockets side by side, so a socket elsewhere is that of another daemon.
    """
    parts = _split(uri)
    daemon = (_host(parts) + parts.path).strip("/")
    socket = os.path.realpath(dict(parse_qsl(parts.query)).get("socket", f"{_SOCKETS}/libvirt-sock"))
    return daemon if os.path.dirname(socket) == _SOCKETS else f"{daemon} at {socket}"


def network_key(name: str, uri: str) -> str:
    """What the rebuild of one network is recorded under: its name, with its daemon where that is not the system's own on this host."""
    if "\0" in name:
        raise SriovError(f"{name!r} is no name for a network: write one without a control character.")
    daemon = daemon_key(uri)
    return name if daemon == "system" else f"{name} at {daemon}"


@contextlib.contextmanager
def connection(uri: str, readonly: bool = False) -> Iterator[Any]:
    """A connection to the daemon at ``uri``, closed at the end. Raises SriovError with the remedy when there is none,
    and for what libvirt says in the body where nothing there says it better.
    """
    library = libvirt()
    try:
        connected = _open_to_read(library, uri) if readonly else library.open(uri)
    except library.libvirtError as error:
        raise SriovError(_no_connection(uri, error)) from error
    try:
        yield connected
    except library.libvirtError as error:
        if not connected.isAlive():
            raise SriovError(f"The connection to libvirt at {uri} broke ({_one_line(error)}): see its log, and run this again.") from error
        raise SriovError(f"libvirt at {uri} failed: {_one_line(error)}.") from error
    finally:
        with contextlib.suppress(library.libvirtError):
            connected.close()


def _open_to_read(library: Any, uri: str) -> Any:
    """A daemon that rests is started by its socket, and the one for readers alone need not listen before that."""
    try:
        return library.openReadOnly(uri)
    except library.libvirtError as error:
        if "Failed to connect socket" in str(error):
            with contextlib.suppress(library.libvirtError):
                return library.open(uri)
        raise


@contextlib.contextmanager
def said_by_libvirt(doing: str) -> Iterator[None]:
    """Turn a libvirt error in the body into ``libvirt does not <doing>: <its words>``."""
    library = libvirt()
    try:
        yield
    except library.libvirtError as error:
        words = _one_line(error)
        if error.get_error_code() in _AUTHENTICATION:
            raise SriovError(f"libvirt does not {doing}, because this user may not: run as root (become), or join the group libvirt ({words}).") from error
        raise SriovError(f"libvirt does not {doing}: {words}.") from error


def error_code(error: BaseException | None) -> int | None:
    """The number that libvirt gives an error (virErrorNumber), or None for an error that is not libvirt's."""
    return error.get_error_code() if error is not None and hasattr(error, "get_error_code") else None


def _no_connection(uri: str, error: Any) -> str:
    words = _one_line(error)
    if error.get_error_code() in _AUTHENTICATION or "Permission denied" in words:
        return f"No permission to use libvirt at {uri}: run as root (become), or as a member of the group libvirt ({words})."
    if "Failed to connect socket" in words:
        return (
            f"libvirt is not running at {uri}: install and start it (package libvirt-daemon-system and unit libvirtd.socket on Debian and Ubuntu, "
            f"libvirt and virtqemud.socket elsewhere) ({words})."
        )
    return f"libvirt at {uri} cannot be reached: check the URI and that its daemon runs ({words})."


def _one_line(error: Any) -> str:
    return " ".join(str(error).split()).rstrip(".")
