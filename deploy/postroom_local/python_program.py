"""How the stack's own Python programs are started."""

import sys


def python_command(*arguments: str) -> list[str]:
    """This interpreter with these arguments, keeping its byte code where this process keeps its own."""
    cache = () if sys.pycache_prefix is None else ("-X", f"pycache_prefix={sys.pycache_prefix}")
    return [sys.executable, *cache, *arguments]
