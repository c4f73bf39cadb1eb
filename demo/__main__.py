"""`python -m demo`: the whole story, or `--clean`."""

from __future__ import annotations

import argparse
import signal
import sys

from bench.bare import BareFailed
from bench.measures import CannotMeasure
from bench.osb import BrokerAnswered
from demo import images, stages
from demo.clean import clean, clean_machine, processes_of
from demo.cluster import Cluster
from demo.places import APP, INSTANCES, Places, alone
from demo.product import BIN, Plugin, Product, log_in, start
from demo.stages import RESOURCES, Story
from demo.traffic import Traffic
from demo.transcript import Transcript
from demo.waiting import DemoFailed
from helmbroker.kubeapi.errors import KubeError

VERSION = "X-Broker-API-Version: 2.17"
FAILURES = (DemoFailed, BareFailed, BrokerAnswered, CannotMeasure, KubeError)


def tell(story: Story, places: Places, *, keep: bool) -> Product:
    """All stages in their order, but the last ones when everything is to be kept."""
    out, cluster = story.out, story.cluster
    traffic = Traffic(cluster, story.app_image)
    with out.stage("The product starts: broker and bridge, on this machine"):
        cluster.make_namespace(INSTANCES)
        product = start(places, processes_of(places), list(story.addons.values()))
        log_in(places, product)
        out.say(f"broker {product.broker.url}, bridge {product.bridge_url}")
    plugin = Plugin(places)
    with out.stage("An app, and requests to it all the time"):
        stages.deploy(story, traffic)
    with out.stage("Which services there are"):
        stages.look_around(story, plugin)
    with out.stage("A database and a cache, beside bare helm"):
        stages.provision(story, plugin)
    with out.stage("Bind both: credentials of the app's own, in new app releases"):
        stages.bind(story, plugin, traffic)
    with out.stage("Roll back, and forward again"):
        stages.go_back_and_forth(story, plugin, traffic)
    with out.stage("How fast, how large"):
        stages.measure(story, product)
    if keep:
        stages.look_at_load(story, traffic)
        return product
    with out.stage("Unbind both: the old credentials are refused"):
        stages.unbind(story, plugin, traffic)
    with out.stage("Destroy both: nothing is left"):
        stages.destroy(story, plugin)
    with out.stage("The requests"):
        stages.end_load(story, traffic)
    return product


def invite(out: Transcript, places: Places, product: Product) -> None:
    """What to try while it runs."""
    catalog = f"{product.broker.url}/v2/catalog"
    out.line("\n== It stays up. Try:")
    for line in (
        f"export DRYCC_PROFILE={places.login} DRYCC_APP={APP} PATH={BIN}:$PATH",
        "drycc-resources list",
        "drycc-resources describe database --details",
        "drycc-resources unbind cache",
        f"kubectl get pods -n {APP} && kubectl get pods -n {INSTANCES}",
        f"kubectl logs -n {APP} load --tail=1 -f",
        f'curl -K <(echo user = "$(cat {places.broker}/platform-credentials)") -H "{VERSION}" {catalog}',
        f"tail -f {places.logs}/broker.log",
        "make demo-clean     # removes all of it",
    ):
        out.command(line)


def run(places: Places, *, keep: bool, app_image: str | None) -> int:
    """The demo; the exit status."""
    out = Transcript()
    cluster = Cluster.connect()
    left = clean(places, cluster)
    if left:
        out.line(f"An earlier demo had left, now removed: {', '.join(left)}.")
    places.make()
    app_image, local = images.choose(cluster.images, app_image)
    addons = {name: images.addon(name, local=local) for name in RESOURCES.values()}
    out.line(
        f"Kubernetes {cluster.kube.server_version()}; images: {', '.join(one.image for one in addons.values())}"
    )
    product = None
    try:
        product = tell(Story(out, cluster, addons, app_image), places, keep=keep)
    except FAILURES as error:
        out.promise("the story goes on to its end", kept=False, evidence=str(error))
    out.summary()
    if product is None:
        out.line(f"\nEverything is left as it was. Logs: {places.logs}. Remove it: make demo-clean")
    elif keep:
        invite(out, places, product)
    else:
        clean(places, cluster)
    return out.exit_status


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave all of it running, with both resources bound")
    parser.add_argument(
        "--clean", action="store_true", help="remove everything that a demo made, and do nothing else"
    )
    parser.add_argument("--app-image", metavar="IMAGE", help=f"default: {images.DEMO_APP}, of the sandbox")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    places = Places()
    try:
        with alone():
            if not arguments.clean:
                return run(places, keep=arguments.keep, app_image=arguments.app_image)
            # What runs on this machine is ended even when the cluster is gone.
            removed = [*clean_machine(places), *clean(places, Cluster.connect())]
            sys.stdout.write(f"removed: {', '.join(removed) or 'nothing, there was nothing'}\n")
            return 0
    except FAILURES as error:
        sys.stderr.write(f"demo: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("demo: interrupted; remove what it made: make demo-clean\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
