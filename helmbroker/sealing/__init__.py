"""Secrets at rest: AES-256-GCM under a data key of their own, which a key of the operator's has wrapped.

`Keys` seals and opens; a `KeyWrapper` has the operator's keys: a `KeyRing` in memory, or the `RingFile` that
programs follow while they run. What is kept in tables, and how it comes under another key, is in `stored`.
"""

from helmbroker.sealing.envelope import Keys, wrapped_by
from helmbroker.sealing.file import RingFile
from helmbroker.sealing.ring import KeyRing
from helmbroker.sealing.wrapper import Key, KeyRingError, KeysAway, KeyWrapper

__all__ = ["Key", "KeyRing", "KeyRingError", "KeyWrapper", "Keys", "KeysAway", "RingFile", "wrapped_by"]
