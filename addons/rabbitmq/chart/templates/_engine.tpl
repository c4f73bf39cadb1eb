{{/* What is RabbitMQ's own in the chart; the other templates are the same in every addon. */}}

{{- define "engine.admin" -}}
admin
{{- end }}

{{- define "engine.account" -}}
rabbitmq
{{- end }}

{{- define "engine.ports" -}}
- {name: amqps, port: 5671}
{{- if not .Values.tls.required }}
- {name: amqp, port: 5672}
{{- end }}
- {name: management, port: 15671}
- {name: metrics, port: 15692}
{{- end }}

{{- define "engine.check" -}}
{{- include "common.atMost" (list "settings.max_connections" .Values.settings.max_connections .Values.planLimits.maxConnections "") -}}
{{- end }}

{{/* The port opens last of all; RabbitMQ's own programs would take a second of a processor at every look. */}}
{{- define "engine.probe" -}}
tcpSocket: {port: amqps}
{{- end }}

{{- define "engine.container" -}}
command: [sh, /chart/start.sh]
# Settings are arguments, so that the pod restarts exactly when one changes, and a rollback takes them back.
args:
  - listeners.tcp{{ ternary " = none" ".default = 5672" .Values.tls.required }}
  {{- with .Values.settings }}
  - vm_memory_high_watermark.absolute = {{ .memory_watermark }}
  - connection_max = {{ .max_connections | int64 }}
  - heartbeat = {{ .heartbeat_s | int64 }}
  - consumer_timeout = {{ mul 1000 (int64 .consumer_timeout_s) }}
  {{- end }}
{{- end }}

{{/* What a client of the server takes, in a Job. */}}
{{- define "engine.jobMemory" -}}
192Mi
{{- end }}

{{- define "engine.mounts" -}}
- {name: run, mountPath: /run/rabbitmq}
{{- end }}

{{- define "engine.volumes" -}}
- name: run
  emptyDir: {medium: Memory, sizeLimit: 8Mi}
{{- end }}
