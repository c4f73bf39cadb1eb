{{/* What is PostgreSQL's own in the chart; the other templates are the same in every addon. */}}

{{- define "engine.admin" -}}
postgres
{{- end }}

{{/* The name that "peer" logins and initdb go by. */}}
{{- define "engine.account" -}}
postgres
{{- end }}

{{- define "engine.ports" -}}
- {name: postgresql, port: 5432}
{{- end }}

{{/* The port that the exporter is known for. */}}
{{- define "engine.exporter" -}}
9187
{{- end }}

{{- define "engine.check" -}}
{{- include "common.atMost" (list "settings.max_connections" .Values.settings.max_connections .Values.planLimits.maxConnections "") -}}
{{- end }}

{{- define "engine.probe" -}}
exec: {command: [sh, /chart/ready.sh]}
{{- end }}

{{- define "engine.container" -}}
command: [sh, /chart/start.sh]
# Settings are arguments, so that the pod restarts exactly when one changes, and a rollback takes them back.
args:
  {{- with .Values.settings }}
  - --shared_buffers={{ .shared_buffers }}
  - --effective_cache_size={{ .effective_cache_size }}
  - --maintenance_work_mem={{ .maintenance_work_mem }}
  - --work_mem={{ .work_mem }}
  - --max_connections={{ .max_connections | int64 }}
  - --statement_timeout={{ .statement_timeout_s | int64 }}s
  - --idle_in_transaction_session_timeout={{ .idle_in_transaction_session_timeout_s | int64 }}s
  - --log_min_duration_statement={{ .log_min_duration_ms | int64 }}
  {{- end }}
  - --hba_file=/chart/{{ ternary "pg_hba_tls.conf" "pg_hba.conf" .Values.tls.required }}
env:
  - {name: HOME, value: /tmp}
lifecycle:
  preStop:
    # SIGTERM, which follows, would wait for every client to leave; SIGINT ends their sessions and checkpoints.
    exec: {command: [sh, -c, kill -INT 1]}
{{- end }}

{{/* What a client of the server takes, in a Job. */}}
{{- define "engine.jobMemory" -}}
128Mi
{{- end }}

{{- define "engine.mounts" -}}
- {name: run, mountPath: /run/postgresql}
- {name: shm, mountPath: /dev/shm}
{{- end }}

{{- define "engine.volumes" -}}
- name: run
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
# The default of 64 MiB fails parallel queries; in memory, it counts against the container's limit.
- name: shm
  emptyDir: {medium: Memory}
{{- end }}
