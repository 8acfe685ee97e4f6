"""The command line: ``postroom …``. Importing it needs nothing beyond Python itself."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Final, NoReturn

#: What the `cli` extra brings.
_CLI_EXTRA: Final = ("click", "rich")

#: `postroom_worker.cli.exit_status.ExitStatus.WRONG_USE`, of a module that may import what is missing.
_EXIT_STATUS_WRONG_USE: Final = 2


def main() -> NoReturn:
    """Run one command and exit with its status; see `postroom_worker.cli.exit_status`."""
    missing = [name for name in _CLI_EXTRA if find_spec(name) is None]
    if missing:
        sys.stderr.write(f"the command line needs {' and '.join(missing)}: pip install 'postroom[cli]'\n")
        sys.exit(_EXIT_STATUS_WRONG_USE)
    from postroom_worker.cli.root import postroom  # noqa: PLC0415  imports click, which may be missing

    sys.exit(postroom.main(prog_name="postroom"))
