"""The state matrix (OSB 1.13), whole: what every request is answered in every state of instance and binding.

How each state comes about stands beside its name: `PUT i` asks for the instance, `PUT b` for its binding, `PATCH`
changes, `DELETE` removes them, `work` carries out what is due, `fail` lets that fail.

A cell is an answer, and the numbers of the OSB items that it holds:
  new, same        202 with an operation that was not there before; with the latest one of that very thing
  200 404 409 410  as they are; 409 says Conflict
  made, gone       201 with credentials, 200 with nothing; the request has waited until the work was done
  busy, unusable   422 ConcurrencyError; 422 InstanceNotUsable
  async            422 AsyncRequired
  in progress, succeeded, failed: the state in the 200 of a poll
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

INSTANCE_STATES = {
    "absent": "",
    "provisioning": "PUT i",
    "ready": "PUT i, work, PUT b, work",
    "provision failed": "PUT i, fail",
    "updating": "PUT i, work, PUT b, work, PATCH i",
    "update failed": "PUT i, work, PUT b, work, PATCH i, fail",
    "deprovisioning": "PUT i, work, PUT b, work, DELETE i",
    "deprovision failed": "PUT i, work, PUT b, work, DELETE i, fail",
    "tombstone": "PUT i, work, PUT b, work, DELETE i, work",
}
INSTANCES = """
                   | PUT same  | PUT other | PUT sync | GET    | DELETE       | DELETE sync | poll
absent             | new 45    | new       | async 45 | 404 60 | 410 81       | async 81    | 404 90
provisioning       | same 46   | 409 48    | async 45 | 404 60 | new 80 83 84 | async 80    | in progress 88
ready              | 200 47    | 409 48    | async 45 | 200 59 | new 80       | async 80    | succeeded 88
updating           | busy 54   | 409 48    | async 45 | busy 61| new 83 84    | async 80    | in progress 88
update failed      | 200 47    | 409 48    | async 45 | 200 59 | new 80       | async 80    | failed 88
provision failed   | new 55    | 409 55    | async 45 | 404 60 | new 87       | async 80    | failed 88 120
deprovisioning     | busy 54   | busy 54   | async 45 | busy 62| same 82      | async 80    | in progress 88 92
deprovision failed | 409       | 409       | async 45 | 200 86 | new 86       | async 80    | failed 88 86
tombstone          | new       | new       | async 45 | 404 60 | 410 81       | async 81    | succeeded 92
"""
UPDATES = """
                   | PATCH    | PATCH other | PATCH sync
absent             | 404 78   | 404 78      | async 68
provisioning       | busy 78  | busy 78     | async 68
ready              | new 68   | new         | async 68
updating           | same 69  | busy 70     | async 68
update failed      | new 77   | new 77      | async 68
provision failed   | unusable | unusable    | async 68
deprovisioning     | busy 78  | busy 78     | async 68
deprovision failed | unusable | unusable    | async 68
tombstone          | 404 78   | 404 78      | async 68
"""
# the instance has binding b1 wherever it can have one; `bind` asks for another
BINDINGS_OF_INSTANCES = """
                   | bind        | bind same | GET binding | unbind   | poll binding
absent             | 404 107     | 404 107   | 404 110     | 410 116  | 404 90
provisioning       | new         | new       | 404 110     | 410 112  | 404 90
ready              | new 99      | 200 100   | 200 110     | new 112  | succeeded 88
updating           | new         | 200 100   | 200 110     | new 112  | succeeded 88
update failed      | new         | 200 100   | 200 110     | new 112  | succeeded 88
provision failed   | unusable    | unusable  | 404 110     | 410 112  | 404 90
deprovisioning     | busy 18 102 | busy 102  | 404         | busy 112 | succeeded
deprovision failed | unusable    | unusable  | 200         | new 112  | succeeded
tombstone          | 404 107     | 404 107   | 404 110     | 410 116  | 404 90
"""
_BOUND = "PUT i, work, PUT b"
BINDING_STATES = {
    "absent": "PUT i, work",
    "binding": _BOUND,
    "bound": f"{_BOUND}, work",
    "bind failed": f"{_BOUND}, fail",
    "unbinding": f"{_BOUND}, work, DELETE b",
    "unbind failed": f"{_BOUND}, work, DELETE b, fail",
    "tombstone": f"{_BOUND}, work, DELETE b, work",
}
BINDINGS = """
              | PUT same | PUT other | PUT sync | GET     | DELETE      | DELETE sync | poll
absent        | new 99   | new       | made 99  | 404 110 | 410 112     | 410 112     | 404 90
binding       | same 100 | 409 100   | made 100 | 404 110 | new 112 113 | gone 113    | in progress 88
bound         | 200 100  | 409 100   | 200 100  | 200 110 | new 112     | gone 112    | succeeded 88
bind failed   | new      | 409       | made     | 404 110 | new         | gone        | failed 88
unbinding     | busy     | busy      | busy     | 404     | same 112    | gone 112    | in progress 88
unbind failed | 409      | 409       | 409      | 200     | new         | gone 112    | failed 88
tombstone     | new      | new       | made     | 404 110 | 410 112     | 410 112     | succeeded 92
"""
_CELL = re.compile(r"(?P<answer>\S+(?: progress)?)(?P<items>(?: \d+)*)")


@dataclass(frozen=True)
class Cell:
    """One square of a table."""

    state: str
    request: str
    answer: str
    items: tuple[int, ...]


def cells(table: str) -> Iterator[Cell]:
    """The squares of a table, row by row. Raises ValueError for what is not written as said above."""
    head, *rows = ([field.strip() for field in line.split("|")] for line in table.strip("\n").splitlines())
    for state, *row in rows:
        for request, text in zip(head[1:], row, strict=True):
            found = _CELL.fullmatch(text)
            if found is None:
                raise ValueError(f"{state}, {request}: {text!r} is no cell")
            yield Cell(state, request, found["answer"], tuple(map(int, found["items"].split())))
