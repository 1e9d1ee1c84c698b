# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure parts of the laboratory: where packages come from, and when an image is still the right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.tests.lab.image import recipe_digest, remove_older
from ansible_collections.vfpool.sriov.tests.lab.mirror import choose, resolve
from ansible_collections.vfpool.sriov.tests.lab.progress import LabError
from ansible_collections.vfpool.sriov.tests.lab.qemu import accelerator, command

USUAL = """\
bookworm-security main http://one.example/debian-security/
bookworm main http://one.example/debian/
bookworm-updates main http://one.example/debian/
"""


def test_the_mirror_is_the_one_that_has_this_machines_release() -> None:
    assert choose(USUAL.splitlines(), "bookworm") == "http://one.example/debian/"


def test_a_foreign_repository_that_comes_first_is_not_the_mirror() -> None:
    foreign = ["bookworm stable https://tools.example/apt/", "stable main https://tools.example/other/"]
    assert choose([*foreign, *USUAL.splitlines()], "bookworm") == "http://one.example/debian/"


def test_sources_that_say_stable_name_the_mirror_too() -> None:
    lines = ["stable-security main http://a.example/security/", "stable main http://a.example/debian/"]
    assert choose(lines, "bookworm") == "http://a.example/debian/"


def test_without_a_mirror_the_message_says_what_to_add() -> None:
    with pytest.raises(LabError, match="no Debian mirror for bookworm: add one with the component main"):
        choose(["bookworm-updates main http://one.example/debian/", "./  http://flat.example/"], "bookworm")


def test_a_mirror_is_its_own_address() -> None:
    assert resolve("http://one.example/debian/") == "http://one.example/debian/"


@pytest.mark.parametrize("slashes", ["", "//"])
def test_of_a_list_of_mirrors_the_first_one_is_taken(tmp_path: Path, slashes: str) -> None:
    mirrors = tmp_path / "debian.list"
    mirrors.write_text("# nearest first\n\nhttp://one.example/debian\tpriority:1\nhttp://two.example/debian\n")
    assert resolve(f"mirror+file:{slashes}{mirrors}/") == "http://one.example/debian"


def test_a_list_without_mirrors_is_named(tmp_path: Path) -> None:
    (tmp_path / "debian.list").write_text("\n")
    with pytest.raises(LabError, match=f"takes its mirror from {tmp_path}/debian.list, and that names none"):
        resolve(f"mirror+file:{tmp_path}/debian.list/")


def _recipe(folder: Path) -> Path:
    (folder / "rootfs").mkdir()
    (folder / "rootfs/hostname").write_text("lab\n")
    (folder / "build").write_text("true\n")
    return folder


def test_the_image_is_known_by_content_and_release_alone(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path)
    before = recipe_digest(recipe, "trixie")
    (recipe / "build").touch()
    assert recipe_digest(recipe, "trixie") == before
    assert recipe_digest(recipe, "bookworm") != before


def test_any_change_of_the_recipe_asks_for_a_new_image(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path)
    seen = {recipe_digest(recipe, "trixie")}
    (recipe / "rootfs/hostname").write_text("other\n")
    seen.add(recipe_digest(recipe, "trixie"))
    (recipe / "build").chmod(0o755)
    seen.add(recipe_digest(recipe, "trixie"))
    (recipe / "rootfs/hostname").rename(recipe / "rootfs/hosts")
    seen.add(recipe_digest(recipe, "trixie"))
    assert len(seen) == 4


def test_a_new_image_replaces_the_older_ones_of_its_release_alone(tmp_path: Path) -> None:
    for name in ("trixie-000000000001", "trixie-000000000002", "trixie-000000000003", "bookworm-000000000001"):
        (tmp_path / name / "root").mkdir(parents=True)
    (tmp_path / "trixie.lock").touch()
    remove_older(tmp_path / "trixie-000000000002")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bookworm-000000000001", "trixie-000000000002", "trixie.lock"]


def test_kvm_is_used_only_where_the_processor_offers_it_and_the_device_opens(tmp_path: Path) -> None:
    device = tmp_path / "kvm"
    device.touch()
    assert accelerator("flags : fpu vmx sse", device) == "kvm"
    assert accelerator("flags : fpu sse", device) == "tcg,thread=multi"
    assert accelerator("flags : fpu svm", tmp_path / "absent") == "tcg,thread=multi"


def test_a_host_reaches_nothing_unless_it_is_online() -> None:
    def management(online: bool) -> str:
        line = command("tcg", "/srv/full.img", 2, 0, 1024, online)
        return next(word for word in line if word.startswith("user,id=management"))

    assert management(online=False).endswith("restrict=on")
    assert management(online=True).endswith("restrict=off")


def test_the_vfs_of_the_large_card_come_before_it_and_after_its_address() -> None:
    devices = [word for word in command("tcg", "/srv/full.img", 2, 127, 1024, False) if "card3" in word]
    assert len(devices) == 128
    assert devices[0] == "virtio-net-pci,bus=port3,addr=0x0.0x1,sriov-pf=card3"
    assert devices[126] == "virtio-net-pci,bus=port3,addr=0xf.0x7,sriov-pf=card3"
    assert devices[127].startswith("virtio-net-pci,id=card3,")
