{{/* Labels that never change: selectors and volume claims take these only. */}}
{{- define "redis.selector" -}}
app.kubernetes.io/name: redis
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "redis.labels" -}}
{{ include "redis.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "redis.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- end -}}
{{- end }}

{{/* What a plan allows. The message is what a user reads. */}}
{{- define "redis.checkPlanLimits" -}}
{{- $limits := .Values.planLimits -}}
{{- if gt (trimSuffix "Gi" .Values.storage.size | int) (int $limits.storageGi) -}}
{{- fail (printf "storage.size is %s, this plan allows at most %dGi: ask for less or choose a larger plan" .Values.storage.size (int $limits.storageGi)) -}}
{{- end -}}
{{- if gt (int .Values.settings.maxclients) (int $limits.maxClients) -}}
{{- fail (printf "settings.maxclients is %d, this plan allows at most %d: ask for less or choose a larger plan" (int .Values.settings.maxclients) (int $limits.maxClients)) -}}
{{- end -}}
{{- end }}

{{/* Claims of a StatefulSet cannot be changed, so an existing one keeps what it was made with. */}}
{{- define "redis.claimSpec" -}}
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
