{{- /* What both programs are told, by prefix: root, prefix */ -}}
{{- define "helmbroker.commonSettings" -}}
{{ .prefix }}DATA_DIR: /var/lib/helmbroker
{{ .prefix }}KEY_RING_FILE: /etc/helmbroker/keys/keys.json
{{ .prefix }}LISTEN: {{ printf "%s:8080" .root.Values.service.listenOn | quote }}
{{ .prefix }}WORKER_LISTEN: {{ printf "%s:8090" .root.Values.service.listenOn | quote }}
{{ .prefix }}DRAIN_S: {{ .root.Values.drainSeconds | quote }}
{{- if include "helmbroker.postgresql" .root }}
{{ .prefix }}DATABASE_URL_FILE: /etc/helmbroker/database/url
{{- end }}
{{- if .root.Values.tls.enabled }}
{{ .prefix }}TLS_CERTIFICATE_FILE: /etc/helmbroker/tls/tls.crt
{{ .prefix }}TLS_KEY_FILE: /etc/helmbroker/tls/tls.key
{{- end }}
{{- range $name, $value := .root.Values.environment }}
{{ $name }}: {{ $value | toString | quote }}
{{- end }}
{{- range $name, $value := .settings }}
{{ $.prefix }}{{ $name }}: {{ $value | toString | quote }}
{{- end }}
{{- end }}

{{- define "helmbroker.brokerSettings" -}}
{{ include "helmbroker.commonSettings" (dict "root" . "prefix" "HELMBROKER_" "settings" .Values.broker.settings) }}
HELMBROKER_LOGINS_DIR: /etc/helmbroker/logins
HELMBROKER_INSTANCE_NAMESPACE: {{ include "helmbroker.instances" . | quote }}
HELMBROKER_SOURCES_FILE: /etc/helmbroker/configuration/sources.yaml
HELMBROKER_OVERRIDES_FILE: /etc/helmbroker/configuration/overrides.yaml
HELMBROKER_GRANTS_FILE: /etc/helmbroker/configuration/grants.yaml
{{- if .Values.addons.bundled }}
HELMBROKER_ADDONS_DIR: /usr/share/helmbroker/addons
{{- end }}
{{- end }}

{{- define "helmbroker.bridgeSettings" -}}
{{ include "helmbroker.commonSettings" (dict "root" . "prefix" "HELMBROKER_BRIDGE_" "settings" .Values.bridge.settings) }}
HELMBROKER_BRIDGE_BROKER_URL: {{ printf "%s://%s" (include "helmbroker.scheme" .) (include "helmbroker.host" (dict "root" . "component" "broker")) | quote }}
HELMBROKER_BRIDGE_BROKER_CREDENTIALS_FILE: /etc/helmbroker/login/credentials
{{- if and .Values.tls.enabled (not .Values.tls.publicCA) }}
HELMBROKER_BRIDGE_BROKER_CA_FILE: /etc/helmbroker/tls/ca.crt
{{- end }}
HELMBROKER_BRIDGE_METRICS_TOKEN_FILE: /etc/helmbroker/metrics/token
HELMBROKER_BRIDGE_PLATFORM: {{ .Values.bridge.platform | quote }}
{{- if eq .Values.bridge.platform "drycc" }}
HELMBROKER_BRIDGE_DRYCC_CONTROLLER_URL: {{ .Values.bridge.drycc.url | quote }}
HELMBROKER_BRIDGE_DRYCC_TOKEN_FILE: /etc/helmbroker/drycc/token
{{- with .Values.bridge.drycc.hookUrl }}
HELMBROKER_BRIDGE_DRYCC_HOOK_URL: {{ . | quote }}
HELMBROKER_BRIDGE_DRYCC_HOOK_KEY_FILE: /etc/helmbroker/drycc/hook-key
{{- end }}
{{- end }}
{{- with .Values.rights }}
{{- if and $.Values.bridge.watch.enabled (ne .mode "all") }}
HELMBROKER_BRIDGE_WATCH_NAMESPACES: {{ include "helmbroker.appNamespaces" $ | fromJsonArray | join "," | quote }}
{{- end }}
{{- end }}
{{- end }}
