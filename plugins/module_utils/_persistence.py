# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the declared state of a PF is there again after a reboot."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable

from ansible_collections.vfpool.sriov.plugins.module_utils._boot_files import boot_files, declared_in, is_script_of, paths, will_have_interface
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._other_owners import other_owners
from ansible_collections.vfpool.sriov.plugins.module_utils._owned_files import OwnedFiles, text_of
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import describe_pf, is_pci_address
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_options import PF_SPEC
from ansible_collections.vfpool.sriov.plugins.module_utils._plan import Plan

__all__ = ["Persistence", "identities"]

_TEXTS = ("script", "rule", "unit")
_OF_MAC = "enx"  # as udev calls an interface by its MAC address
_MAC_LENGTH = len("52:54:00:12:34:56")


def identities(pf: dict) -> list[str]:
    """The keys under which a PF can be kept, the best one first: a MAC address moves with the card, a PCI address stays with the slot.

    udev makes no name of an InfiniBand address, which is longer (names_mac() of systemd's udev-builtin-net_id.c).
    """
    by_address, mac = f"pci{pf['pci_address']}", pf["permanent_mac"] or ""
    return [_OF_MAC + mac.replace(":", ""), by_address] if len(mac) == _MAC_LENGTH else [by_address]


class Persistence:
    """What there is for the next boot of one PF, against what there should be. Making it writes nothing.

    ``wish`` are the module's options, ``vfs`` what they declare for each VF, ``count`` the number of VFs that there will be.
    ``untold`` are scripts that an earlier run left and that do not tell any more what it declared.
    Raises SriovError when something else on the host declares the same PF.
    """

    def __init__(self, pf: dict, wish: dict, vfs: dict[int, dict], count: int, root: str = "/") -> None:
        recorded = None if pf["name"] or pf["permanent_mac"] else _recorded_mac(pf, root)
        pf = {**pf, "permanent_mac": recorded or pf["permanent_mac"]}
        self._pf, self._root = pf, root
        self.untold: list[str] = []
        keys = self._keys = identities(pf)
        # While its interface is in another namespace, its slot is the only name that a PF has.
        by_slot = is_pci_address(wish["pf"]) and not (recorded and will_have_interface(pf))
        self.key = keys[-1] if by_slot else keys[0]
        self.declared = self._merge(wish, vfs, count) if wish["persist"] else {}
        if self.declared:
            self._refuse_rivals()
        # Not by its name, which may be another after the next boot.
        title = pf["pci_address"] if self.key.startswith("pci") else pf["permanent_mac"]
        texts = boot_files(self.key, pf, title, self.declared, wish["timeout"]) if self.declared else {}
        every = [paths(key, root)[kind] for key in keys for kind in _TEXTS]
        self._files = OwnedFiles({paths(self.key, root)[kind]: text for kind, text in texts.items()}, every)
        self._links = {paths(key, root)["wanted_by"]: bool(self.declared) and key == self.key for key in keys}
        self._links_before = {link: os.path.islink(link) for link in self._links}

    @property
    def edited(self) -> list[str]:
        return self._files.edited

    def add_steps(self, plan: Plan) -> None:
        if self._files.stale or self._links != self._links_before:
            name = describe_pf(self._pf)
            words = f"keep the declared state of {name} for the next boot" if self.declared else f"keep nothing of {name} for the next boot"
            plan.add(words, self._replace, self._restore)

    def _merge(self, wish: dict, vfs: dict[int, dict], count: int) -> dict:
        """What an earlier run declared goes on, as far as this one neither mentions it nor gives all VFs back."""
        said = {option: wish[option] for option in PF_SPEC if wish[option] is not None}
        if said.get("num_vfs") == "0":
            del said["num_vfs"]
            return said
        before = self._declared_before()
        merged = {**before, **said}
        earlier = before.get("vfs", {})
        merged["vfs"] = {index: {**earlier.get(index, {}), **vfs.get(index, {})} for index in sorted({*earlier, *vfs}) if index < count}
        if not merged["vfs"]:
            del merged["vfs"]
        elif "num_vfs" not in merged:
            # Somebody else made them this time; without them there is nothing to give the attributes to.
            merged["num_vfs"] = str(count)
        return merged

    def _declared_before(self) -> dict:
        for path in (paths(key, self._root)["script"] for key in self._keys):
            script = text_of(path)
            if script:
                declared = declared_in(script)
                if declared is None:
                    self.untold.append(path)
                return declared or {}
        return {}

    def _refuse_rivals(self) -> None:
        rivals = other_owners(self._pf, self._root)
        if rivals:
            raise SriovError(
                f"The VFs of {describe_pf(self._pf)} are declared in {' and '.join(rivals)} too: remove them there, "
                "or say persist: false here and leave the next boot to it."
            )

    def _replace(self) -> None:
        _enable_around(self._files.replace, self._links)

    def _restore(self) -> None:
        _enable_around(self._files.restore, self._links_before)


def _recorded_mac(pf: dict, root: str) -> str | None:
    """The permanent MAC address by which an earlier run kept a PF that has no interface now to tell it."""
    scripts = [path for path in glob.glob(paths(f"{_OF_MAC}*", root)["script"]) if is_script_of(pf, text_of(path) or "")]
    # An older one is of a card that was in the same slot before.
    newest = max(scripts, key=os.path.getmtime, default=None)
    return newest and ":".join(re.findall("[0-9a-f]{2}", os.path.basename(newest)[len(_OF_MAC) :]))


def _enable_around(put_files: Callable[[], None], links: dict[str, bool]) -> None:
    """Let systemd start the unit, or not, by what ``systemctl enable`` makes: the link goes before the files and comes after them,
    so that no boot finds a unit without its script.
    """
    try:
        for link, there in links.items():
            if not there and os.path.islink(link):
                os.unlink(link)
        put_files()
        for link, there in links.items():
            if there and not os.path.islink(link):
                os.makedirs(os.path.dirname(link), exist_ok=True)
                os.symlink(f"../{os.path.basename(link)}", link)
    except OSError as error:
        raise SriovError(f"{error.filename2 or error.filename} cannot be written ({error.strerror}): make way for it, or say persist: false.") from error
