"""``python -m postroom_worker.cli``: the same as ``postroom``, for a script that knows only its own interpreter."""

from __future__ import annotations

from postroom_worker.cli import main

if __name__ == "__main__":
    main()
