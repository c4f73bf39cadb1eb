"""The one door to the Kubernetes API: plain dicts, synchronous, each call bounded in time.

`port.Kube` is what callers depend on, `client.KubeClient` speaks to a server, `errors` is what goes wrong.
"""
