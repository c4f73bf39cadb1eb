"""Names and addresses of the one node. All are private to the sandbox's network namespace, so they never clash."""

NODE = "node1"
NODE_IP = "172.31.255.1"
NODE_NETWORK = f"{NODE_IP}/24"
POD_CIDR = "10.244.0.0/16"
NODE_POD_CIDR = "10.244.0.0/24"
SERVICE_CIDR = "10.96.0.0/16"
API_SERVICE_IP = "10.96.0.1"
DNS_IP = "10.96.0.10"  # also in addons.yaml
API_PORT = 6443
ETCD = "http://127.0.0.1:2379"
ETCD_PEER = "http://127.0.0.1:2380"
