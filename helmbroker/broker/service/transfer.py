"""All that is recorded as one document, and back into an empty database. What is sealed stays sealed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import RecordSecret
from helmbroker.broker.domain.drift import Record
from helmbroker.broker.domain.instance import InstanceRecord
from helmbroker.broker.domain.kept import CannotRead, Kept, Stage, opened, sealed
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.domain.store_ports import Restorable, Store
from helmbroker.broker.service.drift import snapshot
from helmbroker.broker.service.restore import Found, Refused, Restored, write_all
from helmbroker.sealing import Keys

FORMAT = 1
_STAGES = {Phase.MAKE_FAILED: Stage.MAKING, Phase.REMOVE_FAILED: Stage.REMOVING}


def export(store: Store, keys: Keys, packed: Callable[[str], bytes | None]) -> str:
    """Every instance and binding that is not deleted, and the addon revisions that they have pinned, as JSON.

    packed: an addon revision by its digest. Raises Refused while there are operations that have not ended.
    """
    with store.read() as records:
        found = snapshot(records)
    things = list(found.records.values())
    instances = [each for each in things if isinstance(each, InstanceRecord)]
    busy = sorted(found.busy & {each.instance.id for each in instances})
    if busy:
        raise Refused(f"there are operations that have not ended, on {', '.join(busy)}; wait for them")
    unsettled = [
        each.instance.id for each in things if isinstance(each, InstanceRecord) and each.return_to is not None
    ]
    if unsettled:
        raise Refused(f"an update failed and was not undone, on {', '.join(unsettled)}; update them again first")
    digests = sorted({each.instance.addon_digest for each in instances})
    revisions = {digest: base64.b64encode(packed(digest) or b"").decode() for digest in digests}
    lines = [_line(store.broker_id, keys, each) for each in things]
    content = {"format": FORMAT, "broker_id": store.broker_id, "revisions": revisions, "records": lines}
    return json.dumps(content, indent=1) + "\n"


def import_all(store: Restorable, keys: Keys, text: str) -> Restored:
    """What was exported, into an empty database. Raises Refused; then nothing is written."""
    if not store.is_empty():
        raise Refused("the database has records already; import writes into an empty one only")
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise Refused(f"the document has format {content['format']!r}; this program reads {FORMAT}")
        broker_id = str(content["broker_id"])
        revisions = {str(key): base64.b64decode(value) for key, value in content["revisions"].items()}
        found = [_found(keys, line) for line in content["records"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(f"this is no document of `helmbroker export` ({type(error).__name__})") from None
    except CannotRead as error:
        raise Refused(f"the document was made with another key ring, or changed: {error}") from None
    for digest, packed in revisions.items():
        if not store.keep_revision(digest, packed):
            raise Refused(f"the addon revision {digest} in the document has been changed")
    store.become(broker_id)
    restored = Restored()
    write_all(store, found, restored)
    return restored


def _line(broker_id: str, keys: Keys, record: Record) -> dict[str, Any]:
    thing = record.instance if isinstance(record, InstanceRecord) else record.binding
    kept = Kept(thing, _STAGES.get(record.phase, Stage.MADE), record.deployed)
    return {
        "namespace": thing.release.namespace,
        "release": thing.release.name,
        "broker": broker_id,
        "sealed": base64.b64encode(sealed(keys, kept)).decode(),
    }


def _found(keys: Keys, line: Mapping[str, str]) -> Found:
    ref = ReleaseRef(line["namespace"], line["release"])
    labels = {naming.LABEL_BROKER: line["broker"]}
    record = RecordSecret(ref, labels, base64.b64decode(line["sealed"]))
    return Found(record, opened(keys, record))
