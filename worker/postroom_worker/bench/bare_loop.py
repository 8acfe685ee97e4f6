"""The baseline that does nothing but send: aiobotocore with its default settings, 200 calls in flight.

Run as `python -m postroom_worker.bench.bare_loop EMAILS SENDER DOMAIN CONFIGURATION_SET`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

from aiobotocore.session import get_session

#: As many as a Postroom worker holds by default.
IN_FLIGHT: Final = 200


async def send_all(emails: int, *, sender: str, domain: str, configuration_set: str, body: str) -> None:
    """Send so many emails, each to somebody else."""
    numbers = iter(range(emails))
    async with get_session().create_client("sesv2") as client:

        async def send_what_is_left() -> None:
            # One iterator, shared: each number is taken once.
            for number in numbers:
                await client.send_email(
                    FromEmailAddress=sender,
                    Destination={"ToAddresses": [f"reader-{number}@{domain}"]},
                    Content={"Simple": {"Subject": {"Data": "A measurement"}, "Body": {"Text": {"Data": body}}}},
                    ConfigurationSetName=configuration_set,
                )

        async with asyncio.TaskGroup() as sends:
            for _ in range(IN_FLIGHT):
                sends.create_task(send_what_is_left())


if __name__ == "__main__":
    count, from_address, to_domain, set_name, text_bytes = sys.argv[1:]
    asyncio.run(
        send_all(
            int(count), sender=from_address, domain=to_domain, configuration_set=set_name, body="x" * int(text_bytes)
        )
    )
