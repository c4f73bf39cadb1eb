{{- define "helmbroker.name" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- end }}

{{- define "helmbroker.selector" -}}
app.kubernetes.io/name: helmbroker
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "helmbroker.labels" -}}
{{ include "helmbroker.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "helmbroker.metadata" -}}
name: {{ include "helmbroker.name" .root }}-{{ .name | default .component }}
namespace: {{ .root.Release.Namespace }}
labels: {{- include "helmbroker.labels" . | nindent 2 }}
{{- end }}

{{- define "helmbroker.instances" -}}
{{- .Values.instances.namespace | default (printf "%s-instances" .Release.Namespace) -}}
{{- end }}

{{- define "helmbroker.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end }}

{{- define "helmbroker.scheme" -}}
{{ ternary "https" "http" .Values.tls.enabled }}
{{- end }}

{{- define "helmbroker.port" -}}
{{ ternary 443 80 .Values.tls.enabled }}
{{- end }}

{{- define "helmbroker.certificate" -}}
{{- if .Values.tls.certManager.enabled -}}
{{ include "helmbroker.name" . }}-tls
{{- else -}}
{{ required "tls.secretName: the Secret with tls.crt and tls.key, or set tls.certManager" .Values.tls.secretName }}
{{- end -}}
{{- end }}

{{- define "helmbroker.host" -}}
{{ include "helmbroker.name" .root }}-{{ .component }}.{{ .root.Release.Namespace }}.svc
{{- end }}

{{- define "helmbroker.postgresql" -}}
{{- if eq .Values.database.kind "postgresql" }}true{{ end -}}
{{- end }}

{{- define "helmbroker.check" -}}
{{- $many := list .Values.broker.api.replicas .Values.broker.worker.replicas .Values.bridge.replicas -}}
{{- if include "helmbroker.postgresql" . -}}
{{- $_ := required "database.broker.secretName: the Secret with the URL of the broker's database" .Values.database.broker.secretName -}}
{{- if .Values.bridge.enabled -}}
{{- $_ := required "database.bridge.secretName: the Secret with the URL of the bridge's database" .Values.database.bridge.secretName -}}
{{- end -}}
{{- else if or (gt (int (max (index $many 0) (index $many 1) (index $many 2))) 1) .Values.broker.api.autoscaling.enabled -}}
{{- fail "database.kind: more than one replica needs postgresql; SQLite is for one pod" -}}
{{- end -}}
{{- if and .Values.bridge.enabled (eq .Values.bridge.platform "drycc") -}}
{{- $_ := required "bridge.drycc.url: the Drycc controller, without /v2" .Values.bridge.drycc.url -}}
{{- $_ := required "bridge.drycc.secretName: the Secret with the token of a staff user" .Values.bridge.drycc.secretName -}}
{{- end -}}
{{- if and .Values.bridge.enabled .Values.bridge.watch.enabled (eq .Values.rights.mode "namespaces") (not .Values.rights.namespaces) -}}
{{- fail "rights.namespaces: bridge.watch looks at the namespaces that are listed, and none is; list those of the apps, or set rights.mode" -}}
{{- end -}}
{{- if and (not .Values.secrets.create) (or .Values.logins.users .Values.logins.tokens .Values.logins.admins) -}}
{{- fail (printf "logins: with secrets.create false the logins are those of your Secret %s-logins; add them there, and leave logins empty" (include "helmbroker.name" .)) -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled .Values.metrics.monitors.enabled .Values.networkPolicy.from (not .Values.networkPolicy.metricsFrom) -}}
{{- fail "networkPolicy.metricsFrom: networkPolicy.from shuts Prometheus out of the APIs; list the peers that may scrape" -}}
{{- end -}}
{{- end }}

{{- /* yaml: what fromYaml made of a text; what: the text, for who has to mend it. It puts a mistake into the key Error, and goes on. */ -}}
{{- define "helmbroker.understood" -}}
{{- with .yaml.Error }}{{ fail (printf "%s: not YAML: %s" $.what .) }}{{ end -}}
{{- end }}
