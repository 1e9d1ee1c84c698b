# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs `ansible` and `ansible-playbook`, but pays for their imports only once.

One command line per line comes in as a JSON list, the results of its tasks go out as one JSON list per line. Every
command is Ansible's own, in a process of its own. Words such as ANSIBLE_CACHE_PLUGIN=jsonfile before a command are settings that Ansible
reads while it is imported, so such a command pays for the imports itself. It reaches the host by ssh, or so it believes: the program that it
is given for ssh is a door into the host's namespaces. The rest is as ever: packing, transfer, the system's Python.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

FOLDER, SSH = Path(sys.argv[1]), sys.argv[2]
HERE = Path(__file__).resolve().parent
RESULTS = FOLDER / "results.jsonl"
# Ansible reads these while it is imported.
os.environ.update(
    ANSIBLE_CONFIG=str(HERE.parent.parent / "ansible.cfg"), ANSIBLE_HOME=str(FOLDER), ANSIBLE_SSH_EXECUTABLE=SSH, ANSIBLE_SSH_TRANSFER_METHOD="piped",
    ANSIBLE_SSH_ARGS="", ANSIBLE_PIPELINING="1", ANSIBLE_CALLBACK_PLUGINS=str(HERE / "callback"), ANSIBLE_STDOUT_CALLBACK="results",
    ANSIBLE_LOAD_CALLBACK_PLUGINS="1", RESULTS_FILE=str(RESULTS))

from ansible.cli.adhoc import AdHocCLI  # noqa: E402
from ansible.cli.playbook import PlaybookCLI  # noqa: E402

LOCALHOST = ["-i", "localhost,", "-c", "ssh", "-e", "ansible_python_interpreter=/usr/bin/python3"]


def main() -> None:
    answers = os.dup(1)
    os.dup2(2, 1)  # what Ansible itself says is for the reader of the test's output
    for line in sys.stdin:
        words = json.loads(line)
        settings = dict(word.split("=", 1) for word in words if word.startswith("ANSIBLE_"))
        command = [*words[len(settings) :], *LOCALHOST]
        RESULTS.write_text("")
        if settings:
            kind = "adhoc" if command[0] == "ansible" else "playbook"
            subprocess.run([sys.executable, "-m", "ansible", kind, *command[1:]], env={**os.environ, **settings}, check=False)
        else:
            child = os.fork()
            if child == 0:
                cli = AdHocCLI if command[0] == "ansible" else PlaybookCLI
                os._exit(cli(command).run())
            os.waitpid(child, 0)
        os.write(answers, f"[{','.join(RESULTS.read_text().splitlines())}]\n".encode())


if __name__ == "__main__":
    main()
