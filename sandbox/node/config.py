"""Configuration files of the node's components. Each odd setting says what breaks without it."""

import json
from typing import Any

from sandbox.node import addresses as at
from sandbox.node.places import CNI_PLUGINS, CONTAINERD_STATE, Places


def files(places: Places) -> dict[str, str]:
    """Path relative to the configuration directory, to content. JSON is YAML to Kubernetes."""
    return {
        "audit.yaml": _json(audit()),
        "cni/10-sandbox.conflist": _json(cni()),
        "containerd.toml": containerd(places),
        "kubelet.yaml": _json(kubelet(places)),
        "kube-proxy.yaml": _json(kube_proxy(places)),
        "Corefile": corefile(places),
        "resolv.conf": f"nameserver {at.DNS_IP}\n",
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=1) + "\n"


def audit() -> dict[str, Any]:
    """Who did what, without bodies: of service accounts alone, and not of those that controllers have."""
    rules = [
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "None", "nonResourceURLs": ["*"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
    ]
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "omitManagedFields": True,
        "rules": rules,
    }


def cni() -> dict[str, Any]:
    """Pods on a bridge. No masquerading: there is no outside to hide them from."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "isDefaultGateway": True,
        "hairpinMode": True,
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            # On /run like the containers themselves: after a stop, no address stays taken by a pod that is gone.
            "dataDir": "/run/cni",
            "ranges": [[{"subnet": at.NODE_POD_CIDR}]],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
    return {"cniVersion": "1.0.0", "name": "sandbox", "plugins": [bridge, ports]}


def containerd(places: Places) -> str:
    """restrict_oom_score_adj: without CAP_SYS_RESOURCE a negative score cannot be set, and no pod would start."""
    return f"""\
version = 2
root = "{places.data}/containerd"
state = "{CONTAINERD_STATE}"
[grpc]
  address = "{places.containerd_socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{CONTAINERD_STATE}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "sandbox.local/pause:1"
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  disable_hugetlb_controller = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{places.config}/cni"
"""


def kubelet(places: Places) -> dict[str, Any]:
    """Everything below a control group of our own; images are never collected, because there is no registry."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{places.cgroup}",
        "oomScoreAdj": 0,
        "containerRuntimeEndpoint": f"unix://{places.containerd_socket}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{places.pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{places.pki}/kubelet-server.crt",
        "tlsPrivateKeyFile": f"{places.pki}/kubelet-server.key",
        "clusterDomain": "cluster.local",
        "clusterDNS": [at.DNS_IP],
        "resolvConf": f"{places.config}/resolv.conf",
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,
        # The disk is shared with everything else on the machine: only act when it is all but full.
        "evictionHard": {
            "memory.available": "200Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "podLogsDir": f"{places.data}/pod-logs",
        "volumePluginDir": f"{places.data}/kubelet/volumeplugins",
        "syncFrequency": "10s",
        "serializeImagePulls": False,
    }


def kube_proxy(places: Places) -> dict[str, Any]:
    """conntrack limits are the whole machine's, so they are left as they are."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(places.kubeconfig("kube-proxy"))},
        "clusterCIDR": at.POD_CIDR,
        "hostnameOverride": at.NODE,
        "mode": "nftables",
        "oomScoreAdj": 0,
        "conntrack": {"maxPerCore": 0, "min": 0},
    }


def corefile(places: Places) -> str:
    """Names of the cluster; any other does not exist, at once, instead of after a time-out."""
    return f"""\
cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {{
  bind {at.NODE_IP}
  errors
  cache 5
  kubernetes cluster.local in-addr.arpa ip6.arpa {{
    kubeconfig {places.kubeconfig("admin")}
    pods insecure
    ttl 5
  }}
}}
.:53 {{
  bind {at.NODE_IP}
  template ANY ANY {{
    rcode NXDOMAIN
  }}
}}
"""
