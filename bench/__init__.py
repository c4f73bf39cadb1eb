"""Speed and size of the product, measured; beside it the same work done by bare helm and kubectl."""
