"""Hooks of Drycc's format: scripts that its broker ran with its own rights (B12). Here they become Jobs.

Only where the operator says so and in the image that the operator names, without a token or any privilege. Helm
runs each at its moment: one after an operation whether or not there is one before it, and none after an operation
that failed (B82).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from helmbroker.catalog.formats.reading import Reading
from helmbroker.catalog.model import Plan

VALUE = "helmbrokerHooks"
"""The Helm value that names the plan's folder; no user sets it."""
_FILE = "templates/helmbroker-hooks.yaml"
_MOMENTS = {
    "pre_provision": "pre-install",
    "post_provision": "post-install",
    "pre_update": "pre-upgrade",
    "post_update": "post-upgrade",
    "pre_deprovision": "pre-delete",
    "post_deprovision": "post-delete",
}
# To Helm the second try of a failed install is an upgrade. Of what has run the last revision is no failed one.
_FIRST = """\
{{- $before := printf "sh.helm.release.v1.%s.v%d" .Release.Name (sub .Release.Revision 1) }}
{{- $last := lookup "v1" "Secret" .Release.Namespace $before }}
{{- $first := or .Release.IsInstall (eq (dig "metadata" "labels" "status" "" $last) "failed") }}
"""
_WHEN = {
    "pre-install": ("$first", "pre-install,pre-upgrade"),
    "post-install": ("$first", "post-install,post-upgrade"),
    "pre-upgrade": ("(not $first)", "pre-upgrade"),
    "post-upgrade": ("(not $first)", "post-upgrade"),
}
_LONGEST = 64 * 1024  # bytes; Linux takes twice as much as one argument
# what YAML does not take
_CONTROLS = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_USER = 65534  # nobody
_JOB = """\
{{{{- if and {when} (eq (toString .Values.{value}) {plan}) }}}}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{{{ printf "%s-{moment}" .Release.Name | trunc 63 }}}}
  labels: {{app.kubernetes.io/instance: {{{{ .Release.Name }}}}}}
  annotations:
    helm.sh/hook: {events}
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  backoffLimit: 0
  activeDeadlineSeconds: 300
  ttlSecondsAfterFinished: 900
  template:
    metadata:
      labels: {{app.kubernetes.io/instance: {{{{ .Release.Name }}}}}}
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 5
      securityContext: {{runAsNonRoot: true, runAsUser: {user}, seccompProfile: {{type: RuntimeDefault}}}}
      containers:
        - name: hook
          image: {{{{ {image} }}}}
          command: {{{{ {command} }}}}
          env:
            - {{name: HOME, value: /tmp}}
            - {{name: RELEASE, value: {{{{ .Release.Name | quote }}}}}}
            - {{name: NAMESPACE, value: {{{{ .Release.Namespace | quote }}}}}}
          resources: {{requests: {{cpu: 10m, memory: 32Mi}}, limits: {{memory: 128Mi}}}}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {{drop: [ALL]}}
          terminationMessagePolicy: FallbackToLogsOnError
          volumeMounts: [{{name: tmp, mountPath: /tmp}}]
      volumes: [{{name: tmp, emptyDir: {{}}}}]
{{{{- end }}}}
"""


def added(
    reading: Reading, chart: str, plans: Mapping[str, Plan], image: str | None
) -> tuple[dict[str, bytes], Mapping[str, Plan]]:
    """The file that a revision has more, and the plans (by folder) with what it needs of them.

    Without an image to run them in there is none; hooks that do not run are warned of. A revision that has the file
    keeps it, whatever the operator says by now.
    """
    file = f"{chart}/{_FILE}"
    jobs = "" if file in reading.names else "".join(_jobs(reading, plans, image))
    if jobs or file in reading.names:
        plans = {at: replace(plan, values={**plan.values, VALUE: at}) for at, plan in plans.items()}
    return {file: (_FIRST + jobs).encode()} if jobs else {}, plans


def _jobs(reading: Reading, plans: Iterable[str], image: str | None) -> Iterator[str]:
    for plan in plans:
        hooks = {f"{plan}/hooks/{name}.sh": moment for name, moment in _MOMENTS.items()}
        for file in sorted(name for name in reading.names if name.startswith(f"{plan}/hooks/")):
            moment = hooks.get(file)
            if image is None:
                why = "is not run: list the addon in HELMBROKER_LEGACY_HOOKS, or use Jobs of the chart"
                reading.warn(file, why)
            elif moment is None:
                why = f"is not run: hooks are {', '.join(_MOMENTS)}, with .sh; a bind makes nothing in the cluster"
                reading.warn(file, why)
            elif command := _command(reading, file):
                yield _job(plan, moment, image, command)


def _job(plan: str, moment: str, image: str, command: list[str]) -> str:
    when, events = _WHEN.get(moment, ("true", moment))
    return _JOB.format(
        value=VALUE,
        when=when,
        plan=_literal(plan),
        moment=moment,
        events=events,
        user=_USER,
        image=_literal(json.dumps(image)),
        command=_literal(json.dumps(command, ensure_ascii=False)),
    )


def _command(reading: Reading, file: str) -> list[str] | None:
    """The script, for the interpreter that its first line names; None: it is a fault."""
    content = reading.bytes(file)
    try:
        script = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        script = ""
    if not script.strip() or _CONTROLS.search(script) or len(content) > _LONGEST:
        why = "empty, not UTF-8, or with control characters"
        reading.fault(file, f"is no script: longer than {_LONGEST // 1024} KiB, {why}")
        return None
    first = script.partition("\n")[0]
    interpreter = first[2:].split() if first.startswith("#!") else []
    return [*(interpreter or ["sh"]), "-c", script]


def _literal(word: str) -> str:
    """A text of a template, of which no part is taken for an action; JSON's escapes are Go's, too."""
    return json.dumps(word, ensure_ascii=False)
