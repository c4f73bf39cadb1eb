"""Settings from environment variables, by pydantic.

Its own package for that reads files, secrets and command lines, too, and costs 3.6 MB in every process.
"""

from __future__ import annotations

import os
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Variables(BaseModel):
    """Each field is the variable `prefix` + FIELD, where it is not given. Raises ValidationError.

    An empty variable is one that is not set: charts and compose files write them so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True)
    prefix: ClassVar[str]

    def __init__(self, **given: Any) -> None:
        variables = {field: os.environ.get(f"{self.prefix}{field.upper()}") for field in type(self).model_fields}
        super().__init__(**{field: value for field, value in variables.items() if value} | given)
