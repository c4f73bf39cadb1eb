"""Bindings that others make: found on the cluster, and brought into apps and workloads."""
