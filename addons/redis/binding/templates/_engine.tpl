{{- define "engine.job" -}}
env:
  ACCESS: {{ .Values.binding.parameters.access | default "read-write" }}
{{- end }}

{{/* Where a client goes that asks no further: without TLS as long as the instance allows it. */}}
{{- define "engine.port" -}}
{{ ternary "6380" "6379" (dig "tls" "required" false .Values.instance.values) }}
{{- end }}

{{/* The ports that clients are given, as JSON. */}}
{{- define "engine.open" -}}
{{ uniq (list (include "engine.port" .) "6380") | toJson }}
{{- end }}
