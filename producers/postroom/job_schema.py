"""The JSON Schema of a job, for producers in any language. Run as a module, it prints what ``job.schema.json`` holds."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from postroom.job import CONTRACT_VERSION, Job

#: By what name the schema is known. It is an identifier; nothing is fetched from there.
SCHEMA_ID: Final = f"urn:postroom:job:{CONTRACT_VERSION}"

#: An address with its name, twice as long as either may be, for the escapes.
_ADDRESS: Final = {"type": "string", "minLength": 3, "maxLength": 700}

#: What the models' docstrings say to Python programmers, said to everyone.
_DESCRIPTIONS: Final = {
    "Email": (
        "An email to one to fifty recipients, counted over to, cc and bcc, none of them twice. Addresses are "
        "`ada@example.net` or `Ada <ada@example.net>`. At least one of text and html is needed. A worker checks more "
        "than a schema can tell, and puts what it refuses into the dead letters."
    ),
    "Lane": (
        "critical is for what a person is waiting for, transactional for what one person's action causes, bulk for "
        "what goes to many. A job belongs into the queue of its lane."
    ),
    "OnUncertain": (
        "What to do when the answer to a send was lost and no feedback tells what became of it: resend risks a second "
        "copy, hold never sends twice."
    ),
}


def job_json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the contract: what a producer should write. A worker reads a little more."""
    schema = Job.model_json_schema(mode="validation")
    for name, description in _DESCRIPTIONS.items():
        schema["$defs"][name]["description"] = description
    email = schema["$defs"]["Email"]
    # In Python a client may fill both in; on the queue they are there.
    email["required"] = ["sender", "subject"]
    email["properties"]["sender"] = {**_ADDRESS, "title": "Sender"}
    schema["required"] = ["version", *schema["required"]]
    del schema["properties"]["version"]["default"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **schema,
        "title": f"Postroom job, contract version {CONTRACT_VERSION}",
    }


def schema_text() -> str:
    """Return the schema as it is committed."""
    return json.dumps(job_json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
