"""Run a simulated SES: `python -m postroom_local.simulator --port 4579 --sns-endpoint http://127.0.0.1:4566`."""

import argparse
import asyncio
import signal
from collections.abc import Sequence

from postroom_local.loopback import require_loopback
from postroom_local.simulator.account import account_of
from postroom_local.simulator.account_change import changed
from postroom_local.simulator.control_messages import AccountChange
from postroom_local.simulator.server import SimulatorServer


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    given = _parser().parse_args(arguments)
    account = changed(account_of(given.profile), AccountChange.model_validate_json(given.account))
    sns_endpoint = require_loopback(given.sns_endpoint, what="the SNS endpoint")
    asyncio.run(_serve(SimulatorServer(account, port=given.port, sns_endpoint=sns_endpoint, seed=given.seed)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m postroom_local.simulator", description="A simulated Amazon SES")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--sns-endpoint", required=True, help="URL of the SNS that events are published to")
    parser.add_argument("--profile", choices=("sandbox", "production"), default="production")
    parser.add_argument("--account", default="{}", help="further values of the account, as JSON")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn by lot")
    return parser


async def _serve(server: SimulatorServer) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await server.start()
    try:
        await stopping.wait()
    finally:
        await server.stop()


if __name__ == "__main__":
    main()
