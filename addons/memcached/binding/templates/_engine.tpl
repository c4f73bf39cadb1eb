{{/* The Job writes into the volume of the server, so it has to be on the same node. */}}
{{- define "engine.job" -}}
{{- $release := .Values.instance.release -}}
env:
  PORT: {{ include "engine.port" . | quote }}
mounts:
  - {name: data, mountPath: /data}
volumes:
  - {name: data, persistentVolumeClaim: {claimName: {{ $release }}-data}}
affinity:
  podAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector: {matchLabels: {app.kubernetes.io/instance: {{ $release }}, app.kubernetes.io/name: memcached}}
{{- end }}

{{/* Where a client goes that asks no further: without TLS as long as the instance allows it. */}}
{{- define "engine.port" -}}
{{ ternary "11212" "11211" .Values.instance.values.tls.required }}
{{- end }}

{{/* The ports that clients are given, as JSON. */}}
{{- define "engine.open" -}}
{{ uniq (list (include "engine.port" .) "11212") | toJson }}
{{- end }}
