"""What was promised."""

from __future__ import annotations

PROVISION_MARGIN_S = 1.5
"""Provisioning may take this much longer than bare `helm upgrade --install --wait`."""
BIND_LIMIT_S = 8.0
"""From asking for a binding until its credentials are there."""
ROTATION_MARGIN_S = 3.0
"""Rotating, without the app's rollout, may take this much longer than binding without it."""
ROLLOUT_MARGIN_S = 2.0
"""An app on its new release, its old pods gone, may take this much longer than binding and a bare rollout."""
ACCEPT_LIMIT_MS = 50.0
"""The slowest 202 to the PUT of an instance."""
MEMORY_LIMIT_MB = 130.0
"""Each of API and worker, with all their processes; megabytes of 10^6 bytes."""
IDLE_LIMIT_PERCENT = 2.0
"""CPU of all processes together when nobody asks for anything; percent of one core."""
START_LIMIT_MS = 150.0
"""From typing `drycc-resources --help` or `services` until it has ended."""
LIST_LIMIT_MS = 100.0
"""A list of 1,000 resources of an app, by the bridge."""
HELM_FACTOR, HELM_MARGIN_S = 1.03, 0.5
"""Provisioning may take as long as bare `helm upgrade --install --wait` times this, plus this."""
PARALLEL_FACTOR = 1.1
"""Eight provisions at the same time may take as long as eight bare helms at the same time, times this."""
RESUME_MARGIN_S = 2.0
"""After kill -9 of a worker its operation goes on within the lease and this."""
CREDENTIALS_LIMIT_S = 1.0
"""Rendering a credentials template and looking up its 15 references."""
INJECTED_LIMIT_S = 1.0
"""From asking for a bind until a new app release has the credentials, beside provisioning, Job and rollout."""
RSS_LIMIT_MB = 350.0
"""API and worker of broker and bridge together, the RSS of each process added; megabytes of 10^6 bytes."""
ANSWER_LIMIT_S = 2.0
"""From the start of a process of the image until it answers."""
REST_LIMIT_PERCENT = 3.0
"""CPU of those four together when nobody asks for anything; percent of one core."""
