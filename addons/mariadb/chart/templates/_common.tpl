{{/* The same file in every addon beside it, as a test makes sure: an addon is complete in itself. Its own words are in _engine.tpl. */}}

{{/* Labels that never change: selectors and volume claims take these only. */}}
{{- define "common.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "common.labels" -}}
{{ include "common.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* What a plan allows. Takes a list: the parameter's path, what is asked for, the most, the unit. A user reads the message. */}}
{{- define "common.atMost" -}}
{{- $path := index . 0 -}}
{{- $asked := index . 1 | int -}}
{{- $most := index . 2 | int -}}
{{- $unit := index . 3 -}}
{{- if gt $asked $most -}}
{{- fail (printf "%s is %d%s, this plan allows at most %d%s: ask for less or choose a larger plan" $path $asked $unit $most $unit) -}}
{{- end -}}
{{- end }}

{{/* Fields of the pod but its containers and volumes. */}}
{{- define "common.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds | int }}
securityContext:
  runAsNonRoot: true
  {{- range $key, $id := .Values.podSecurityContext }}
  {{- if $id }}
  {{ $key }}: {{ $id | int64 }}
  {{- end }}
  {{- end }}
  # "Always" would visit every file at every start, and give the group rights that PostgreSQL refuses.
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- range $key := list "imagePullSecrets" "priorityClassName" "nodeSelector" "tolerations" "affinity" }}
{{- with get $.Values $key }}
{{ $key }}: {{ toJson . }}
{{- end }}
{{- end }}
{{- end }}

{{/* What every container has. Takes a dict: image, resources. */}}
{{- define "common.confined" -}}
image: {{ with .image }}{{ ternary (printf "%s@%s" .repository .digest) (printf "%s:%s" .repository .tag) (not (empty .digest)) | quote }}{{ end }}
imagePullPolicy: {{ .image.pullPolicy }}
terminationMessagePolicy: FallbackToLogsOnError
resources: {{- toYaml .resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Fields of the server's container but its command, probes and volumes. */}}
{{- define "common.container" -}}
name: {{ .Chart.Name }}
{{ include "common.confined" (pick .Values "image" "resources") }}
ports:
  {{- range include "engine.ports" . | fromYamlArray }}
  - {name: {{ .name }}, containerPort: {{ .port }}}
  {{- end }}
{{- end }}

{{/* The port of the exporter beside the server; nothing where metrics are off, or the server's own. */}}
{{- define "common.metrics" -}}
{{- if dig "enabled" false (.Values.metrics | default dict) }}{{ include "engine.exporter" . }}{{ end }}
{{- end }}

{{/* What the Service leads to: the server's ports, and the exporter's. */}}
{{- define "common.ports" -}}
{{ include "engine.ports" . }}
{{- with include "common.metrics" . }}
- {name: metrics, port: {{ . }}}
{{- end }}
{{- end }}

{{/* The exporter's container. Of the instance's secrets it has its own password alone. */}}
{{- define "common.exporter" -}}
{{- with include "common.metrics" . -}}
name: metrics
{{ include "common.confined" $.Values.metrics }}
command: [sh, /chart/exporter.sh]
args: ["{{ . }}"]
ports:
  - {name: metrics, containerPort: {{ . }}}
volumeMounts:
  - {name: chart, mountPath: /chart, readOnly: true}
  - {name: exporter, mountPath: /exporter, readOnly: true}
  - {name: tls, mountPath: /tls/ca.crt, subPath: ca.crt, readOnly: true}
  - {name: exporter-tmp, mountPath: /tmp}
{{- end }}
{{- end }}

{{/* Volumes that every server has: its data, scripts, administrator's password and certificate. */}}
{{- define "common.volumes" -}}
{{- if not (include "common.claimTemplates" .) -}}
- name: data
  persistentVolumeClaim: {claimName: {{ .Release.Name }}-data}
{{ end -}}
- name: chart
  configMap: {name: {{ .Release.Name }}-chart}
- name: admin
  secret:
    secretName: {{ .Release.Name }}-admin
    defaultMode: 0440
    items: [{key: password, path: password}]
- name: tls
  secret:
    secretName: {{ .Release.Name }}-tls
    defaultMode: 0440
    items: [{key: ca.crt, path: ca.crt}, {key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- if include "common.metrics" . }}
- name: exporter
  secret:
    secretName: {{ .Release.Name }}-admin
    defaultMode: 0440
    items: [{key: exporter, path: password}]
- name: exporter-tmp
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- end }}
{{- end }}

{{- define "common.mounts" -}}
- {name: data, mountPath: /data}
- {name: chart, mountPath: /chart, readOnly: true}
- {name: admin, mountPath: /admin, readOnly: true}
- {name: tls, mountPath: /tls, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- if include "common.metrics" . }}
- {name: exporter, mountPath: /exporter, readOnly: true}
{{- end }}
{{- if .Values.podSecurityContext.runAsUser }}
- {name: chart, mountPath: /etc/passwd, subPath: passwd, readOnly: true}
{{- end }}
{{- end }}

{{/*
Until version 1.0 a StatefulSet made its claim from a template. A template can neither be changed nor taken away, so such an
instance keeps its own, and its volume has the size that it was made with.
*/}}
{{- define "common.claimTemplates" -}}
{{- range dig "spec" "volumeClaimTemplates" (list) (lookup "apps/v1" "StatefulSet" .Release.Namespace .Release.Name) }}
- metadata:
    name: {{ .metadata.name }}
    labels: {{- include "common.selector" $ | nindent 6 }}
  spec:
    accessModes: [ReadWriteOnce]
    {{- with .spec.storageClassName }}
    storageClassName: {{ . }}
    {{- end }}
    resources:
      requests:
        storage: {{ .spec.resources.requests.storage }}
{{- end }}
{{- end }}

{{/* The size of the volume: what is asked for, but a volume never shrinks, and grows only where its class lets it. */}}
{{- define "common.storage" -}}
{{- $asked := .Values.storage.size -}}
{{- $has := dig "spec" "resources" "requests" "storage" "" (lookup "v1" "PersistentVolumeClaim" .Release.Namespace (printf "%s-data" .Release.Name)) -}}
{{- if not $has -}}
{{- $asked -}}
{{- else if and (hasSuffix "Gi" $has) (gt (trimSuffix "Gi" $asked | int) (trimSuffix "Gi" $has | int)) -}}
{{- if not .Values.storage.expandable -}}
{{- fail (printf "storage.size is %s, but the volume has %s and its storage class does not let it grow: ask for storage.size %s, or move the data to a new instance" $asked $has $has) -}}
{{- end -}}
{{- $asked -}}
{{- else -}}
{{- $has -}}
{{- end -}}
{{- end }}

{{/*
How often the server's certificate has been signed, as far as the Secret says, and once more when half of its life is over:
whoever updates an instance in these five years never sees it expire.
*/}}
{{- define "common.certificate" -}}
{{- $old := dig "data" (dict) (lookup "v1" "Secret" .Release.Namespace (printf "%s-tls" .Release.Name)) -}}
{{- $number := get $old "number" | b64dec | default "0" | int -}}
{{- $due := get $old "renew-after" | b64dec | default "0" | int64 -}}
{{- ternary (add1 $number) $number (gt (now | unixEpoch | int64) $due) -}}
{{- end }}

{{/*
What becomes of the administrator's password: "begins" (another one is made), "goes on" (an attempt before has made it, and the
server may have it), "goes back" (the same, but it is no longer asked for); nothing in most updates. The Secret of the
rotation has the passwords before and after it; that of the administrator gets the new one when the server has it.
*/}}
{{- define "common.rotation" -}}
{{- $now := dig "data" (dict) (lookup "v1" "Secret" .Release.Namespace (printf "%s-admin" .Release.Name)) -}}
{{- if and $now (hasKey .Values "admin") -}}
{{- $made := dig "data" "new" "" (lookup "v1" "Secret" .Release.Namespace (printf "%s-rotation" .Release.Name)) -}}
{{- $asked := and .Values.admin.rotation (ne .Values.admin.rotation (get $now "rotation" | b64dec)) -}}
{{- $open := and $made (ne $made (get $now "password")) -}}
{{- if and $asked (not (hasKey $now "rotation")) -}}
{{- fail "admin.rotation cannot be asked for together with the upgrade of an earlier version, which could not be undone: upgrade first, then rotate" -}}
{{- end -}}
{{- if $asked }}{{ ternary "goes on" "begins" (not (empty $open)) }}{{ else if $open }}goes back{{ end -}}
{{- end -}}
{{- end }}

{{/* The text by which the administrator's password is known, of the Secret of this revision. */}}
{{- define "common.rotated" -}}
{{- $now := dig "data" (dict) (lookup "v1" "Secret" .Release.Namespace (printf "%s-admin" .Release.Name)) -}}
{{- .Values.admin.rotation | default (get $now "rotation" | b64dec) -}}
{{- end }}

{{/* The Job that gives the server the password in a file. Takes a dict: root ($), name (of the Job), hook (Helm's), file. */}}
{{- define "common.rotate" -}}
{{- $root := .root -}}
{{- $labels := dict "app.kubernetes.io/name" (printf "%s-admin" $root.Chart.Name) "app.kubernetes.io/instance" $root.Release.Name -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $root.Release.Name }}-{{ .name }}
  labels: {{- toYaml $labels | nindent 4 }}
  annotations:
    helm.sh/hook: {{ .hook }}
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  backoffLimit: 2
  activeDeadlineSeconds: 180
  # Helm forgets a hook that failed; this removes it.
  ttlSecondsAfterFinished: 900
  template:
    metadata:
      labels: {{- toYaml $labels | nindent 8 }}
    spec:
      restartPolicy: Never
      {{- include "common.pod" $root | nindent 6 }}
      containers:
        - name: {{ .name }}
          {{- $resources := dict "requests" (dict "cpu" "10m" "memory" "32Mi") "limits" (dict "memory" (include "engine.jobMemory" $root)) }}
          {{- include "common.confined" (dict "image" $root.Values.image "resources" $resources) | nindent 10 }}
          command: [sh, -c]
          args:
            - |
              {{- $root.Files.Get "rotation/engine.sh" | trim | nindent 14 }}

              {{- $root.Files.Get "rotation/rotate.sh" | trim | nindent 14 }}
            - rotate
            - {{ .file }}
            - {{ include "common.rotated" $root | quote }}
          env:
            - {name: HOST, value: {{ printf "%s.%s.svc" $root.Release.Name $root.Release.Namespace | quote }}}
          volumeMounts:
            - {name: admin, mountPath: /admin, readOnly: true}
            - {name: rotation, mountPath: /rotation, readOnly: true}
            - {name: tls, mountPath: /tls, readOnly: true}
            - {name: tmp, mountPath: /tmp}
      volumes:
        - name: admin
          secret:
            secretName: {{ $root.Release.Name }}-admin
            defaultMode: 0440
            items: [{key: password, path: password}, {key: rotation, path: rotation}]
        - name: rotation
          secret:
            secretName: {{ $root.Release.Name }}-rotation
            defaultMode: 0440
            # Until the first rotation there is none.
            optional: true
        - name: tls
          secret:
            secretName: {{ $root.Release.Name }}-tls
            defaultMode: 0440
            items: [{key: ca.crt, path: ca.crt}]
        - name: tmp
          emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- end }}
