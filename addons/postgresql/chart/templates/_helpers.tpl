{{/* Labels that never change: selectors and volume claims take these only. */}}
{{- define "postgresql.selector" -}}
app.kubernetes.io/name: postgresql
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "postgresql.labels" -}}
{{ include "postgresql.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "postgresql.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- end -}}
{{- end }}

{{/* What a plan allows. The message is what a user reads. */}}
{{- define "postgresql.checkPlanLimits" -}}
{{- $limits := .Values.planLimits -}}
{{- if gt (trimSuffix "Gi" .Values.storage.size | int) (int $limits.storageGi) -}}
{{- fail (printf "storage.size is %s, this plan allows at most %dGi: ask for less or choose a larger plan" .Values.storage.size (int $limits.storageGi)) -}}
{{- end -}}
{{- if gt (int .Values.settings.max_connections) (int $limits.maxConnections) -}}
{{- fail (printf "settings.max_connections is %d, this plan allows at most %d: ask for less or choose a larger plan" (int .Values.settings.max_connections) (int $limits.maxConnections)) -}}
{{- end -}}
{{- end }}

{{/* Claims of a StatefulSet cannot be changed, so an existing one keeps what it was made with. */}}
{{- define "postgresql.claimSpec" -}}
{{- $old := dict -}}
{{- range dig "spec" "volumeClaimTemplates" (list) (lookup "apps/v1" "StatefulSet" .Release.Namespace .Release.Name) -}}
{{- $old = .spec -}}
{{- end -}}
accessModes: [ReadWriteOnce]
{{- with ternary (get $old "storageClassName") .Values.storage.className (not (empty $old)) }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests:
    storage: {{ dig "resources" "requests" "storage" .Values.storage.size $old }}
{{- end }}
