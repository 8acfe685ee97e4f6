"""How many jobs of each lane a worker may hold: sends that hang in one lane leave room for better ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from postroom.lanes import Lane

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Share of a worker's places kept free for each better lane. Critical and transactional jobs are few and short; a
#: twentieth of 200 places carries a hundred of them a second at SES's usual 100 ms a send.
SHARE_FOR_EACH_BETTER_LANE: Final = 0.05

#: Places in a worker too few to share out.
TOO_FEW_TO_SHARE: Final = len(Lane)


def lane_room(*, concurrency: int, held: int) -> Mapping[Lane, int]:
    """Return how many more jobs of each lane a worker that holds `held` jobs may take."""
    kept = 0
    if concurrency > TOO_FEW_TO_SHARE:
        kept = max(1, int(concurrency * SHARE_FOR_EACH_BETTER_LANE))
    return {lane: max(0, concurrency - held - kept * better) for better, lane in enumerate(Lane)}
