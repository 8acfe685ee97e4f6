"""SES message ids and feedback ids."""

from random import Random


def message_id(at: float, random: Random) -> str:
    """An id in the shape of SES's: sixteen hex digits that grow with time (seconds), a UUID, six digits."""
    digits = f"{random.getrandbits(128):032x}"
    unique = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    return f"0102{int(at * 1000):012x}-{unique}-000000"
