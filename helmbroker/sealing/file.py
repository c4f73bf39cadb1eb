"""The key ring in a file: a plain one, or that of a Secret which is mounted."""

from __future__ import annotations

import base64
import fcntl
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from helmbroker.runtime.files import write_private
from helmbroker.sealing.ring import KEY_BYTES, KeyRing
from helmbroker.sealing.wrapper import Key, KeyRingError

_LOG = logging.getLogger("helmbroker.keys")
_LONGEST_ID = 64
_RESERVED = "format 2"
_WRAPS = "wrap:"  # before a key that wraps data keys; version 0.1 wrote keys without it, and used them directly


class RingFile:
    """The port KeyWrapper, over a file `{"active": ID, "keys": {ID: "wrap:" and base64 of 32 bytes}}`.

    It is read again when it is another one; one that is broken or gone is logged, and the ring before goes on.
    """

    def __init__(self, path: Path, *, made_by: str = "helmbroker init") -> None:
        """Raises KeyRingError when it cannot be read now. made_by: the command that makes one."""
        self.path, self._made_by = path, made_by
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._seen = self._state()
        self._ring = _ring(path, self._read())

    def __repr__(self) -> str:
        return f"RingFile({str(self.path)!r}, {self._ring!r})"

    @property
    def active(self) -> Key:
        return self._now().active

    @property
    def keys(self) -> tuple[Key, ...]:
        """All of them, in the file's order."""
        return self._now().keys

    def wrap(self, key_id: str, plain: bytes, context: str) -> bytes:
        return self._now().wrap(key_id, plain, context)

    def unwrap(self, key_id: str, wrapped: bytes, context: str) -> bytes:
        return self._now().unwrap(key_id, wrapped, context)

    @staticmethod
    def create(path: Path) -> None:
        """Write a ring with one fresh key, readable by the owner alone. Raises FileExistsError, OSError."""
        path.touch(0o600, exist_ok=False)
        key_id, key = _fresh()
        write_private(path, _text({"active": key_id, "keys": {key_id: key}}))

    def with_fresh_key(self) -> tuple[str, str]:
        """The id of a fresh key, and the text of the file with it in the last place; nothing is written."""
        content = self._read()
        key_id, key = _fresh()
        return key_id, _text({**content, "keys": {**content["keys"], key_id: key}})

    def add(self) -> str:
        """Put a fresh key into the file, not active yet; its id. Raises KeyRingError."""
        with self._changing():
            key_id, text = self.with_fresh_key()
            write_private(self.path, text)
        return key_id

    def activate(self, key_id: str) -> None:
        """Raises KeyRingError: it is not on the ring, or the file cannot be written."""
        with self._changing():
            write_private(self.path, _text({**self._with(key_id), "active": key_id}))

    def remove(self, key_id: str) -> None:
        """Raises KeyRingError: it is not on the ring, is active, or the file cannot be written."""
        with self._changing():
            content = self._with(key_id)
            if key_id == content["active"]:
                raise KeyRingError(f"key {key_id!r} is the active one; `keys rotate` makes another one active")
            left = {each: key for each, key in content["keys"].items() if each != key_id}
            write_private(self.path, _text({**content, "keys": left}))

    def _with(self, key_id: str) -> dict[str, Any]:
        content = self._read()
        if key_id not in content["keys"]:
            raise KeyRingError(
                f"the key ring {self.path} has no key {key_id!r}; `keys list` shows those that it has"
            )
        return content

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One command at a time reads the file and writes it anew; the lock goes with the process that holds it."""
        try:
            folder = os.open(self.path.parent, os.O_RDONLY)  # the file itself is another one after each change
            try:
                fcntl.flock(folder, fcntl.LOCK_EX)
                yield
            finally:
                os.close(folder)
        except OSError as error:
            raise KeyRingError(
                f"the key ring {self.path} cannot be written ({error.strerror}); where it is the file of a Secret, "
                "change the Secret: `keys add --print` writes a ring with one more key to the standard output"
            ) from None

    def _now(self) -> KeyRing:
        try:
            if self._state() != self._seen:
                with self._lock:
                    self._renew()
        except OSError as error:
            _LOG.error("the key ring %s cannot be read: %s; the one before is used", self.path, error.strerror)
        except KeyRingError as error:
            _LOG.error("%s; the key ring before is used", error)
        return self._ring

    def _renew(self) -> None:
        state = self._state()
        if state == self._seen:
            return  # another thread was faster
        self._seen = state  # what is broken is told once
        self._ring = _ring(self.path, self._read())
        _LOG.info("the key ring has changed", extra={"keys": len(self._ring.keys), "active": self._ring.active.id})

    def _state(self) -> tuple[int, int, int] | None:
        """Another one for every file that is put here. A file that is gone is no other one: a volume is away."""
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return self._seen
        return stat.st_mtime_ns, stat.st_ino, stat.st_size

    def _read(self) -> dict[str, Any]:
        """The file's content, as far as it has the form of a ring. Raises KeyRingError."""
        try:
            content = json.loads(self.path.read_text("utf-8"))
            if not isinstance(content["keys"], dict) or not isinstance(content["active"], str):
                raise TypeError
        except FileNotFoundError:
            raise KeyRingError(f"there is no key ring at {self.path}; `{self._made_by}` makes one") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            # the error's own text may quote the file
            raise KeyRingError(f"the key ring {self.path} cannot be read ({type(error).__name__})") from None
        checked: dict[str, Any] = content
        return checked


def _ring(path: Path, content: Mapping[str, Any]) -> KeyRing:
    """Raises KeyRingError."""
    texts: Mapping[str, Any] = content["keys"]
    try:
        keys = {
            key_id: base64.b64decode(text.removeprefix(_WRAPS), validate=True) for key_id, text in texts.items()
        }
    except (ValueError, AttributeError) as error:
        raise KeyRingError(f"the key ring {path} cannot be read ({type(error).__name__})") from None
    if content["active"] not in keys or any(len(key) != KEY_BYTES for key in keys.values()):
        raise KeyRingError(f"the key ring {path} has no active key, or a key that is not {KEY_BYTES} bytes long")
    if any(not key_id or len(key_id.encode()) > _LONGEST_ID or key_id == _RESERVED for key_id in keys):
        raise KeyRingError(
            f"the key ring {path} has a key id of more than {_LONGEST_ID} bytes, an empty one, or {_RESERVED!r}"
        )
    return KeyRing(
        keys, content["active"], [key_id for key_id, text in texts.items() if not text.startswith(_WRAPS)]
    )


def _fresh() -> tuple[str, str]:
    """Id and text of a new key. Two that are made on two machines have two ids."""
    key_id = f"{time.strftime('%Y%m%d', time.gmtime())}-{secrets.token_hex(4)}"
    return key_id, _WRAPS + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"
