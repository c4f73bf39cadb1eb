{{/* What is Memcached's own in the chart; the other templates are the same in every addon. */}}

{{- define "engine.admin" -}}
admin
{{- end }}

{{- define "engine.account" -}}
memcache
{{- end }}

{{- define "engine.ports" -}}
- {name: memcached-tls, port: 11212}
{{- if not .Values.tls.required }}
- {name: memcached, port: 11211}
{{- end }}
{{- end }}

{{- define "engine.check" -}}
{{- include "common.atMost" (list "settings.max_connections" .Values.settings.max_connections .Values.planLimits.maxConnections "") -}}
{{- end }}

{{- define "engine.probe" -}}
tcpSocket: {port: memcached-tls}
{{- end }}

{{- define "engine.container" -}}
command: [sh, /chart/start.sh]
# Settings are arguments, so that the pod restarts exactly when one changes, and a rollback takes them back.
args:
  - --listen={{ if not .Values.tls.required }}notls:0.0.0.0:11211,{{ end }}0.0.0.0:11212
  {{- with .Values.settings }}
  - --memory-limit={{ .memory_mb | int64 }}
  - --max-item-size={{ .max_item_size }}
  - --conn-limit={{ .max_connections | int64 }}
  {{- with .idle_timeout_s | int64 }}
  - --extended=idle_timeout={{ . }}
  {{- end }}
  {{- end }}
{{- end }}

{{- define "engine.mounts" }}{{ end }}

{{- define "engine.volumes" }}{{ end }}
