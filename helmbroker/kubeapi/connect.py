"""Which cluster, and as whom: kubeconfig or service account, by the official client's own loaders."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from helmbroker.kubeapi.errors import NoCluster

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration

USER_AGENT = "helmbroker"  # also the name under which the server keeps our field ownership
_ACTION = "connect to a Kubernetes cluster"
_CURE = "set KUBECONFIG, pass a kubeconfig path, or run in a pod with a service account"


def connect(kubeconfig: str | None = None) -> ApiClient:
    """A client for the cluster of `kubeconfig`, else $KUBECONFIG, else the pod, else ~/.kube/config.

    Nothing is sent yet. Tokens (service account, exec plugins) are refreshed by the official client as they
    age. Raises NoCluster. The official client is imported here so that only who connects pays for it.
    """
    from kubernetes.client import ApiClient, Configuration  # noqa: PLC0415

    configuration = Configuration()
    _load(configuration, kubeconfig or os.environ.get("KUBECONFIG") or None)
    configuration.retries = False  # urllib3 takes False for "never by itself"
    client = ApiClient(configuration)
    client.user_agent = USER_AGENT
    return client


def _load(configuration: Configuration, kubeconfig: str | None) -> None:
    loaders: Any = import_module("kubernetes.config")
    home = Path("~/.kube/config").expanduser()
    in_cluster = "KUBERNETES_SERVICE_HOST" in os.environ
    if kubeconfig is None and not in_cluster and not home.exists():
        raise NoCluster(_ACTION, f"no kubeconfig is set and this is not a pod; {_CURE}")
    try:
        if kubeconfig is None and in_cluster:
            loaders.load_incluster_config(client_configuration=configuration)
        else:
            loaders.load_kube_config(
                config_file=kubeconfig or str(home), client_configuration=configuration, persist_config=False
            )
    except OSError as error:
        raise NoCluster(_ACTION, f"{error.filename or kubeconfig}: {error.strerror}; {_CURE}") from None
    except (loaders.ConfigException, yaml.YAMLError, KeyError, TypeError, ValueError):
        # The loader's own text can hold whole user entries, tokens included: only the place is told.
        place = kubeconfig or ("the pod's service account" if in_cluster else str(home))
        raise NoCluster(_ACTION, f"{place} is missing, empty, or not a usable kubeconfig; {_CURE}") from None
