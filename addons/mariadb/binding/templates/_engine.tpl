{{- define "engine.job" -}}
env:
  ACCESS: {{ .Values.binding.parameters.access | default "read-write" }}
  CONNECTION_LIMIT: {{ .Values.binding.parameters.connection_limit | default 0 | int64 | quote }}
{{- end }}

{{/* The ports that clients are given, as JSON. */}}
{{- define "engine.open" -}}
["3306"]
{{- end }}
