{{- define "engine.job" -}}
env:
  ACCESS: {{ .Values.binding.parameters.access | default "read-write" }}
  CONNECTION_LIMIT: {{ .Values.binding.parameters.connection_limit | default -1 | int64 | quote }}
{{- end }}

{{/* The ports that clients are given, as JSON. */}}
{{- define "engine.open" -}}
["5432"]
{{- end }}
