"""The components of the node, in the order of their start: command lines and what each waits for."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from sandbox.node import addresses as at
from sandbox.node.places import Places


class Gate(Enum):
    """What must be there before a component starts (and starts again)."""

    NOTHING = auto()
    API = auto()  # ready, with the RBAC bootstrap: the controller manager ends when it is started before
    CONTAINERD = auto()


@dataclass(frozen=True)
class Component:
    """program: an absolute path, or a name in /usr/bin; argv[0] is the component's name in every process list."""

    name: str
    program: str
    arguments: tuple[str, ...]
    gate: Gate = Gate.NOTHING
    needs_listener: bool = False


def components(places: Places) -> list[Component]:
    """All of them."""
    api = Gate.API
    return [
        _hk(places, "etcd", _etcd(places)),
        _hk(places, "kube-apiserver", _apiserver(places)),
        Component("containerd", "/usr/bin/containerd", ("--config", f"{places.config}/containerd.toml")),
        _hk(places, "forward", {"dial": f"127.0.0.1:{at.API_PORT}"}, listener=True),
        _hk(places, "kubelet", _kubelet(places), Gate.CONTAINERD),
        _hk(places, "kube-controller-manager", _controller_manager(places), api),
        _hk(places, "kube-scheduler", {**_client(places, "kube-scheduler"), "leader-elect": "false"}, api),
        _hk(places, "kube-proxy", {"config": f"{places.config}/kube-proxy.yaml"}, api),
        _hk(places, "coredns", {"conf": f"{places.config}/Corefile"}, api),
        _hk(places, "provisioner", _provisioner(places), api),
        _hk(places, "network-policies", _network_policies(places), api),
    ]


def _hk(
    places: Places, name: str, options: Mapping[str, str], gate: Gate = Gate.NOTHING, *, listener: bool = False
) -> Component:
    """A component of the multi-call binary. CoreDNS takes options with one dash only; all others take either."""
    dash = "-" if name == "coredns" else "--"
    arguments = tuple(f"{dash}{option}={value}" for option, value in options.items())
    return Component(name, str(places.hk), arguments, gate, listener)


def _etcd(places: Places) -> dict[str, str]:
    """No fsync: data outlives any crash of processes, and only a crash of the machine may cost a `down --wipe`."""
    return {
        "name": at.NODE,
        "data-dir": f"{places.data}/etcd",
        "listen-client-urls": at.ETCD,
        "advertise-client-urls": at.ETCD,
        "listen-peer-urls": at.ETCD_PEER,
        "initial-advertise-peer-urls": at.ETCD_PEER,
        "initial-cluster": f"{at.NODE}={at.ETCD_PEER}",
        "unsafe-no-fsync": "true",
        "log-level": "warn",
    }


def _apiserver(places: Places) -> dict[str, str]:
    pki = places.pki
    return {
        "etcd-servers": at.ETCD,
        "advertise-address": at.NODE_IP,  # may not be a loopback address: pods reach the API server by it
        "bind-address": "0.0.0.0",  # noqa: S104 - of a network namespace without a way out
        "secure-port": str(at.API_PORT),
        "service-cluster-ip-range": at.SERVICE_CIDR,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "audit-policy-file": f"{places.config}/audit.yaml",
        "audit-log-path": str(places.audit),
        "audit-log-maxsize": "20",  # megabytes; then a new file, beside one older one
        "audit-log-maxbackup": "1",
        "client-ca-file": f"{pki}/ca.crt",
        "tls-cert-file": f"{pki}/apiserver.crt",
        "tls-private-key-file": f"{pki}/apiserver.key",
        "kubelet-client-certificate": f"{pki}/apiserver-kubelet-client.crt",
        "kubelet-client-key": f"{pki}/apiserver-kubelet-client.key",
        "kubelet-certificate-authority": f"{pki}/ca.crt",
        "kubelet-preferred-address-types": "InternalIP",
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-account-key-file": f"{pki}/service-accounts.pub",
        "service-account-signing-key-file": f"{pki}/service-accounts.key",
        "requestheader-client-ca-file": f"{pki}/front-proxy-ca.crt",
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
        "proxy-client-cert-file": f"{pki}/front-proxy-client.crt",
        "proxy-client-key-file": f"{pki}/front-proxy-client.key",
    }


def _client(places: Places, user: str) -> dict[str, str]:
    kubeconfig = str(places.kubeconfig(user))
    return {
        "kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "bind-address": "127.0.0.1",
    }


def _controller_manager(places: Places) -> dict[str, str]:
    return {
        **_client(places, "kube-controller-manager"),
        "leader-elect": "false",
        "use-service-account-credentials": "true",
        "service-account-private-key-file": f"{places.pki}/service-accounts.key",
        "root-ca-file": f"{places.pki}/ca.crt",
        "cluster-signing-cert-file": f"{places.pki}/ca.crt",
        "cluster-signing-key-file": f"{places.pki}/ca.key",
        "allocate-node-cidrs": "true",
        "cluster-cidr": at.POD_CIDR,
        "service-cluster-ip-range": at.SERVICE_CIDR,
        "cluster-name": "sandbox",
        # With the default of 20 requests a second, the default ServiceAccount comes 5 seconds late.
        "kube-api-qps": "500",
        "kube-api-burst": "1000",
    }


def _kubelet(places: Places) -> dict[str, str]:
    return {
        "config": f"{places.config}/kubelet.yaml",
        "kubeconfig": str(places.kubeconfig("kubelet")),
        "root-dir": f"{places.data}/kubelet",
        "cert-dir": f"{places.data}/kubelet/pki",
        "node-ip": at.NODE_IP,
        "hostname-override": at.NODE,
    }


def _provisioner(places: Places) -> dict[str, str]:
    return {
        "kubeconfig": str(places.kubeconfig("admin")),
        "directory": f"{places.data}/volumes",
        "node": at.NODE,
    }


def _network_policies(places: Places) -> dict[str, str]:
    """CoreDNS is a process of the node, so a policy could not select it as a pod without being told its address."""
    return {"kubeconfig": str(places.kubeconfig("admin")), "dns-address": at.NODE_IP}
