"""What runs inside the sandbox's namespaces: their set-up, and the supervisor of the node's components."""
