"""The REST API of the platform side: what `drycc resources` and other clients speak."""
