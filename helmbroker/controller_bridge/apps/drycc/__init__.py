"""AppReleases on a Drycc controller, by its REST API alone."""
