"""An app that writes on every request to PostgreSQL, and to Redis once it has one; a customer asks and counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from helmbroker.kubeapi.port import Kube, Obj
from tests.cluster import live_shop
from tests.cluster.reach import eventually
from tests.cluster.shop import IMAGE, process

PER_SECOND = 50
# Nothing is tried twice: whatever a rotation does to a request is seen. A connection is made when none is idle.
SERVER = """
import http.server, os, queue, signal, sys, threading
import psycopg2, redis
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
DATABASE, CACHE = (os.environ.get(name, "") for name in ("DATABASE_URI", "CACHE_URI"))
if os.environ.get("ONLY_AS", "") not in DATABASE or "TRAP_URI" in os.environ:
    sys.exit("this app does not start with these credentials")
idle, slots = queue.LifoQueue(), threading.BoundedSemaphore(8)
cache = redis.Redis.from_url(CACHE, socket_timeout=5, socket_connect_timeout=5) if CACHE else None
def sql(statement, *values):
    try:
        connection = idle.get_nowait()
    except queue.Empty:
        connection = psycopg2.connect(DATABASE, connect_timeout=5)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        found = cursor.fetchone() if cursor.description else None
    idle.put(connection)
    return found
def look():
    if DATABASE:
        sql("select 1")
    if cache:
        cache.ping()
def count():
    entries = cache.lrange("writes", 0, -1) if cache else ()
    return *sql("select count(*), count(distinct id) from writes"), len(entries), len(set(entries))
def write(number):
    sql("insert into writes values (%s)", number)
    if cache:
        cache.rpush("writes", number)
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, work, *given):
        try:
            with slots:  # two pods and their successors stay below what the plan allows
                status, body = 200, repr(work(*given))
        except Exception as error:
            status, body = 500, f"{type(error).__name__}: {error}"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())
    def do_GET(self):
        self.answer(count if self.path == "/count" else look)
    def do_POST(self):
        self.answer(write, self.path[1:])
    def log_message(self, *_):
        pass
if DATABASE:
    sql("create table if not exists writes (id text)")
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
Server(("", 8080), Handler).serve_forever()
"""
# One line a second, with the milliseconds of every answer of that second; the last one when it is told to end.
CUSTOMER = """
import collections, concurrent.futures, http.client, json, signal, threading, time
lock, sent, took, errors, stop = threading.Lock(), 0, [], [], threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
def ask(number):
    began = time.monotonic()
    try:
        connection = http.client.HTTPConnection("shop-web", 8080, timeout=20)
        connection.request("POST", f"/{number}")
        answer = connection.getresponse()
        said = answer.read().decode()
        connection.close()
        failed = "" if answer.status == 200 else f"{answer.status} {said}"
    except Exception as error:
        failed = f"{type(error).__name__}: {error}"
    with lock:
        took.append(round((time.monotonic() - began) * 1000, 1))
        if failed:
            errors.append(f"{time.strftime('%H:%M:%S')} {failed}"[:200])
def tell(end=False):
    with lock:
        line = {"at": round(time.time(), 2), "sent": sent, "took_ms": took[:], "errors": errors[:], "end": end}
        took.clear()
    print(json.dumps(line), flush=True)
told = at = time.monotonic()
with concurrent.futures.ThreadPoolExecutor(64) as pool:
    while not stop.is_set():
        pool.submit(ask, sent)
        sent += 1
        at += 1 / PER_SECOND
        if time.monotonic() > told + 1:
            tell()
            told += 1
        stop.wait(max(0.0, at - time.monotonic()))
tell(end=True)
"""


def web(namespace: str) -> Obj:
    """Two pods that serve HTTP, ready once their credentials have worked."""
    return live_shop.web(namespace, SERVER, resources={"requests": {"cpu": "20m", "memory": "48Mi"}})


def worker(namespace: str) -> Obj:
    """A second process type: rotated with the first, and no less."""
    return process(namespace, "worker", resources={"requests": {"cpu": "10m", "memory": "8Mi"}})


def customer(namespace: str) -> Obj:
    """Asks until it is ended."""
    script = CUSTOMER.replace("PER_SECOND", str(PER_SECOND))
    run = {
        "name": "customer",
        "image": IMAGE,
        "command": ["python3", "-c", script],
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}},
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 120,
        "containers": [run],
    }
    metadata = {"name": "customer", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


class Second(NamedTuple):
    """What the customer has told at a moment."""

    at: float  # epoch seconds
    took_ms: list[float]  # of each answer since the moment before
    failed: int  # since the beginning


class Part(NamedTuple):
    """What the requests of some time came to."""

    answers: int
    failed: int
    p99_ms: float  # 99 of 100 answers took at most this
    slowest_ms: float


@dataclass
class Asked:
    """What the requests came to."""

    sent: int = 0
    errors: list[str] = field(default_factory=list)
    seconds: list[Second] = field(default_factory=list)
    ended: bool = False

    @classmethod
    def of(cls, log: str) -> Asked:
        """From the customer's log."""
        found = cls()
        whole = log[: log.rfind("\n") + 1]  # the last line may be half written
        for line in whole.splitlines():
            told: dict[str, Any] = json.loads(line)
            found.sent, found.errors, found.ended = told["sent"], told["errors"], told["end"]
            found.seconds.append(Second(told["at"], told["took_ms"], len(found.errors)))
        return found

    def part(self, since: float = 0.0, until: float = float("inf")) -> Part:
        """Of the answers that came in between (epoch seconds)."""
        inside = [each for each in self.seconds if since <= each.at < until]
        failed_before = max((each.failed for each in self.seconds if each.at < since), default=0)
        failed = inside[-1].failed - failed_before if inside else 0
        took = sorted(one for each in inside for one in each.took_ms) or [0.0]
        return Part(sum(len(each.took_ms) for each in inside), failed, took[int(len(took) * 0.99)], took[-1])

    def table(self, times: Mapping[str, tuple[float, float]]) -> str:
        """A row for what was done from when until when, for a page."""
        rows = ["| | answers | failed | 99 of 100 within | the slowest |", "|---|---:|---:|---:|---:|"]
        for what, between in (*times.items(), ("**all of the time**", (0.0, float("inf")))):
            part = self.part(*between)
            rows.append(
                f"| {what} | {part.answers} | {part.failed} | {part.p99_ms:.0f} ms | {part.slowest_ms:.0f} ms |"
            )
        return "\n".join(rows)


def open_shop(kube: Kube, namespace: str) -> None:
    """The app, without database and cache yet."""
    for each in (web(namespace), worker(namespace), live_shop.service(namespace)):
        kube.create(each)

    def both_run() -> bool | None:
        found = [kube.get("Deployment", namespace, name) or {} for name in ("shop-web", "shop-worker")]
        return all(one.get("status", {}).get("readyReplicas") == one["spec"]["replicas"] for one in found) or None

    eventually(both_run, within_s=120)
