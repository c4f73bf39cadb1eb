{{/* What is Redis' own in the chart; the other templates are the same in every addon. */}}

{{- define "engine.admin" -}}
admin
{{- end }}

{{- define "engine.account" -}}
redis
{{- end }}

{{- define "engine.ports" -}}
- {name: redis-tls, port: 6380}
{{- if not .Values.tls.required }}
- {name: redis, port: 6379}
{{- end }}
{{- end }}

{{/* The port that the exporter is known for. */}}
{{- define "engine.exporter" -}}
9121
{{- end }}

{{- define "engine.check" -}}
{{- include "common.atMost" (list "settings.maxclients" .Values.settings.maxclients .Values.planLimits.maxClients "") -}}
{{- end }}

{{- define "engine.probe" -}}
exec: {command: [sh, /chart/ready.sh, /run/redis/probe]}
{{- end }}

{{- define "engine.container" -}}
command: [sh, /chart/start.sh]
# Settings are arguments, so that the pod restarts exactly when one changes, and a rollback takes them back.
args:
  - --port
  - {{ ternary "0" "6379" .Values.tls.required | quote }}
  {{- with .Values.settings }}
  - --maxmemory
  - {{ .maxmemory }}
  - --maxmemory-policy
  - {{ .maxmemory_policy }}
  - --appendfsync
  - {{ .appendfsync | quote }}
  - --maxclients
  - {{ .maxclients | int64 | quote }}
  - --timeout
  - {{ .idle_timeout_s | int64 | quote }}
  {{- end }}
{{- end }}

{{/* What a client of the server takes, in a Job. */}}
{{- define "engine.jobMemory" -}}
128Mi
{{- end }}

{{- define "engine.mounts" -}}
- {name: run, mountPath: /run/redis}
{{- end }}

{{- define "engine.volumes" -}}
- name: run
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- end }}
