"""Bytes at random, and genuine messages with bytes or values changed at random: the parser never raises.

`FEEDBACK_FUZZ_INPUTS=200000` makes it a long run, `FEEDBACK_FUZZ_SEED` another one; a failure prints both the seed and
the number of the input.
"""

import json
import os
import random
from copy import deepcopy
from pathlib import Path

from postroom_worker.policy.feedback_effects import ConfirmSubscription, DeadLetter, Effects, Ignored, decide
from postroom_worker.policy.feedback_parsing import parse_feedback

GENUINE = [
    path.read_bytes()
    for path in sorted((Path(__file__).parents[2] / "data" / "ses_events").glob("[0-9]*.json"))
    if 0 < path.stat().st_size < 20_000
]
#: Pieces that JSON, e-mail and SNS give a meaning to.
PIECES = [
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b"null", b"true", b"1e999", b"-", b"\\ud800", b"\\u0000"),
    *(b"eventType", b"notificationType", b"Message", b"TopicArn", b"mail", b"bounce", b"complaint", b"Permanent"),
    *(b"@", b"<", b">", b"=?utf-8?q?", b"xn--", b"\xf0\x9f\x92\x8c", b"\xff", b"\x00", b"\r\n", b"rfc822;", b";"),
]
#: Values that have no business where they are put.
VALUES = [
    *(None, True, 0, -1, 10**300, 1.5, float("nan"), "", "\ud800", "\x00\r\n", "x" * 5000, "a@b.example", '"@"@@'),
    *([], {}, [[[]]], [None], ["a", 1], {"": {}}, {"emailAddress": []}, [{"emailAddress": "a@b.example"}] * 60),
    *(
        "Send",
        "Bounce",
        "Complaint",
        "Delivery",
        "not-spam",
        "Transient",
        "2026-11-20T09:15:30Z",
        "9999-99-99",
        "4.4.7",
    ),
    *("<" * 300, "=?utf-8?b?//8=?= <a@b.example>", "a@" + "b." * 200, "ada@xn--a.example", "\u0130@\u0130.example"),
]


def with_changed_bytes(chance: random.Random) -> bytes:
    body = bytearray(chance.choice(GENUINE))
    for _ in range(chance.randrange(1, 8)):
        place = chance.randrange(len(body) + 1)
        match chance.randrange(5):
            case 0:
                body[place:place] = chance.choice(PIECES)
            case 1:
                del body[place : place + chance.randrange(1, 60)]
            case 2:
                body[place : place + 1] = chance.randbytes(1)
            case 3:
                other = chance.choice(GENUINE)
                start = chance.randrange(len(other))
                body[place:place] = other[start : start + chance.randrange(1, 200)]
            case 4:
                del body[place:]
    return bytes(body)


def change_a_value(content, chance: random.Random) -> None:
    """Change one value of a JSON object or list, somewhere below it."""
    keys = list(content) if isinstance(content, dict) else range(len(content))
    if not keys:
        return
    key = chance.choice(keys)
    below = content[key]
    if isinstance(below, dict | list) and below and chance.random() < 0.8:
        change_a_value(below, chance)
    elif isinstance(content, dict) and chance.random() < 0.2:
        del content[key]
    else:
        content[key] = deepcopy(chance.choice(VALUES))


def with_changed_values(chance: random.Random) -> bytes:
    try:
        content = json.loads(chance.choice(GENUINE))
    except (ValueError, RecursionError):
        return chance.randbytes(chance.randrange(200))
    if not isinstance(content, dict | list):
        return json.dumps(content).encode()
    inner = content.get("Message") if isinstance(content, dict) else None
    if isinstance(inner, str) and inner.startswith("{") and chance.random() < 0.9:
        event = json.loads(inner) if inner.rstrip().endswith("}") else {}
        for _ in range(chance.randrange(1, 4)):
            change_a_value(event, chance)
        content["Message"] = json.dumps(event)
    else:
        for _ in range(chance.randrange(1, 4)):
            change_a_value(content, chance)
    return json.dumps(content).encode()


def test_no_input_raises():
    seed = int(os.environ.get("FEEDBACK_FUZZ_SEED", "20261124"))
    chance = random.Random(seed)  # noqa: S311  repeatable, not secret
    inputs = int(os.environ.get("FEEDBACK_FUZZ_INPUTS", "5000"))
    outcomes = dict.fromkeys((Effects, Ignored, DeadLetter, ConfirmSubscription), 0)
    for number in range(inputs):
        body = chance.choice([with_changed_bytes, with_changed_values])(chance)
        text = body.decode("utf-8", chance.choice(["replace", "surrogateescape", "ignore"]))
        try:
            decision = decide(parse_feedback(text), topic_arn=None)
        except Exception as error:
            raise AssertionError(f"seed {seed}, input {number}: {text!r}") from error
        outcomes[type(decision)] += 1
    # Not all are nonsense: a good part of the inputs still are events, and as many are not.
    assert outcomes[Effects] > inputs / 10
    assert outcomes[DeadLetter] > inputs / 10
