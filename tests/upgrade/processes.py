"""Processes of two versions of the broker, over one database and one cluster."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BOUND_S = 60.0
Answer = tuple[int, dict[str, Any]]


class Process:
    """`helmbroker COMMAND` of the present version, or of the one that is unpacked in `version`."""

    def __init__(self, command: str, environment: Mapping[str, str], version: Path | None = None) -> None:
        self.name = f"{'new' if version is None else 'old'} {command}"
        code = {} if version is None else {"PYTHONPATH": str(version)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "helmbroker.broker", *command.split()],
            cwd=environment["HELMBROKER_DATA_DIR"],
            env={**os.environ, **environment, **code},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[str] = []
        self.port = 0
        self._listens = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self.log.append(line)
                if '"listening"' in line:
                    self.port = int(json.loads(line)["port"])
                    self._listens.set()
        self._listens.set()

    def wait(self) -> int:
        """Its exit status, when its log is read to the end."""
        status = self._process.wait(BOUND_S)
        self._reader.join(BOUND_S)
        return status

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; its exit status."""
        self._process.send_signal(number)
        return self.wait()

    def call(self, method: str, target: str, login: str, body: object = None) -> Answer:
        assert self._listens.wait(BOUND_S), f"{self.name} does not listen"
        assert self.port, f"{self.name} ended: {self.log}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=BOUND_S)
        headers = {"X-Broker-API-Version": "2.17", "Authorization": login, "Content-Type": "application/json"}
        try:
            connection.request(method, target, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()
