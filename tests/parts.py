"""Real parts that tests start: installed where that can be done, named where it cannot.

``python -m tests.parts`` never fails a build; a test whose part is missing says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PARTS = (("chromium", "chromium"), ("postgresql", "pg_ctlcluster"))
"""Debian package, and the command that shows that it is here."""


def main() -> None:
    """Install what is missing."""
    missing = [package for package, command in PARTS if shutil.which(command) is None]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.stderr.write(f"not installed, their tests are skipped: {', '.join(missing)}\n")
        return
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    for command in (["apt-get", "update", "-qq"], install):
        done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            sys.stderr.write(f"{' '.join(command)} ended with {done.returncode}\n")


if __name__ == "__main__":
    main()
