{{/* What is MariaDB's own in the chart; the other templates are the same in every addon. */}}

{{- define "engine.admin" -}}
admin
{{- end }}

{{- define "engine.account" -}}
mysql
{{- end }}

{{- define "engine.ports" -}}
- {name: mariadb, port: 3306}
{{- end }}

{{/* The port that the exporter is known for. */}}
{{- define "engine.exporter" -}}
9104
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
  - --innodb_buffer_pool_size={{ .innodb_buffer_pool_size }}
  - --innodb_log_file_size={{ .innodb_log_file_size }}
  - --max_connections={{ .max_connections | int64 }}
  - --max_allowed_packet={{ .max_allowed_packet }}
  - --max_statement_time={{ .max_statement_time_s | int64 }}
  - --wait_timeout={{ .wait_timeout_s | int64 }}
  - --slow_query_log={{ ternary "OFF" "ON" (lt (int64 .log_min_duration_ms) 0) }}
  - --slow_query_log_file=/dev/stderr
  - --long_query_time={{ divf (max 0 (int64 .log_min_duration_ms)) 1000 }}
  {{- end }}
  - --require_secure_transport={{ ternary "ON" "OFF" .Values.tls.required }}
env:
  - {name: HOME, value: /tmp}
{{- end }}

{{/* What a client of the server takes, in a Job. */}}
{{- define "engine.jobMemory" -}}
128Mi
{{- end }}

{{- define "engine.mounts" -}}
- {name: run, mountPath: /run/mariadb}
{{- end }}

{{- define "engine.volumes" -}}
- name: run
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- end }}
