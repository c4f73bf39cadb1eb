{{/* The same file in every addon beside it, as a test makes sure: an addon is complete in itself. Its own words are in _engine.tpl. */}}

{{- define "binding.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "binding.host" -}}
{{ .Values.instance.release }}.{{ .Values.instance.namespace }}.svc
{{- end }}

{{- define "binding.user" -}}
u_{{ .Values.binding.id }}
{{- end }}

{{- define "binding.image" -}}
{{- with .Values.instance.values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag }}
{{- end -}}
{{- end -}}
{{- end }}

{{/*
The Job that runs one script with the instance's image, as the instance's server runs.
Takes a dict: root ($), name (of the script and the Job), hook (Helm's).
*/}}
{{- define "binding.job" -}}
{{- $root := .root -}}
{{- $instance := $root.Values.instance -}}
{{- $engine := include "engine.job" $root | fromYaml -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $root.Release.Name }}-{{ .name }}
  labels: {{- include "binding.labels" $root | nindent 4 }}
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
      labels: {{- include "binding.labels" $root | nindent 8 }}
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 5
      {{- with $instance.values.imagePullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        {{- range $key, $id := $instance.values.podSecurityContext }}
        {{- if $id }}
        {{ $key }}: {{ $id | int64 }}
        {{- end }}
        {{- end }}
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: {{ .name }}
          image: {{ include "binding.image" $root | quote }}
          imagePullPolicy: {{ $instance.values.image.pullPolicy | default "IfNotPresent" }}
          command: [sh, -c]
          args:
            - |
              {{- $root.Files.Get "files/common.sh" | trim | nindent 14 }}

              {{- $root.Files.Get (printf "files/%s.sh" .name) | trim | nindent 14 }}
          env:
            - {name: HOST, value: {{ include "binding.host" $root | quote }}}
            - {name: BINDING_USER, value: {{ include "binding.user" $root }}}
            {{- range $name, $value := $engine.env }}
            - {name: {{ $name }}, value: {{ $value | quote }}}
            {{- end }}
          terminationMessagePolicy: FallbackToLogsOnError
          resources:
            requests: {cpu: 10m, memory: 32Mi}
            limits: {memory: {{ $engine.memory | default "128Mi" }}}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          volumeMounts:
            - {name: admin, mountPath: /admin, readOnly: true}
            - {name: binding, mountPath: /binding, readOnly: true}
            - {name: tls, mountPath: /tls, readOnly: true}
            - {name: tmp, mountPath: /tmp}
            {{- range $engine.mounts }}
            - {{ toJson . }}
            {{- end }}
      volumes:
        - name: admin
          secret:
            secretName: {{ $instance.release }}-admin
            defaultMode: 0440
            items: [{key: password, path: password}]
        - name: binding
          secret:
            secretName: {{ $root.Release.Name }}
            defaultMode: 0440
            items: [{key: password, path: password}]
            # A user whose Secret was lost can still be dropped.
            optional: true
        - name: tls
          secret:
            secretName: {{ $instance.release }}-tls
            defaultMode: 0440
            items: [{key: ca.crt, path: ca.crt}]
        - name: tmp
          emptyDir: {medium: Memory, sizeLimit: 1Mi}
        {{- range $engine.volumes }}
        - {{ toJson . }}
        {{- end }}
      {{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
      {{- with get $engine $key | default (get $instance.values $key) }}
      {{ $key }}: {{ toJson . }}
      {{- end }}
      {{- end }}
{{- end }}
