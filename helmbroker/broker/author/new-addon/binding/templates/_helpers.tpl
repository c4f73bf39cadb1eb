{{- define "binding.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "binding.host" -}}
{{ .Values.instance.release }}.{{ .Values.instance.namespace }}.svc
{{- end }}

{{- define "binding.user" -}}
u_{{ .Values.binding.id }}
{{- end }}

{{/* The Job that runs one script with the instance's image. Takes a dict: root ($), name, hook. */}}
{{- define "binding.job" -}}
{{- $root := .root -}}
{{- $instance := $root.Values.instance -}}
{{- $image := $instance.values.image -}}
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
  activeDeadlineSeconds: 120
  ttlSecondsAfterFinished: 900
  template:
    metadata:
      labels: {{- include "binding.labels" $root | nindent 8 }}
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      enableServiceLinks: false
      {{- with $instance.values.imagePullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        {{- range $key, $id := $instance.values.podSecurityContext }}
        {{ $key }}: {{ $id | int64 }}
        {{- end }}
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: {{ .name }}
          image: {{ if $image.digest }}{{ $image.repository }}@{{ $image.digest }}{{ else }}{{ $image.repository }}:{{ $image.tag }}{{ end }}
          imagePullPolicy: {{ $image.pullPolicy }}
          command: [python3, -c]
          args:
            - |
              {{- $root.Files.Get "files/common.py" | trim | nindent 14 }}


              {{- $root.Files.Get (printf "files/%s.py" .name) | trim | nindent 14 }}
          env:
            - {name: SERVER, value: "http://{{ include "binding.host" $root }}:8080"}
            - {name: BINDING_USER, value: {{ include "binding.user" $root }}}
          resources:
            requests: {cpu: 10m, memory: 32Mi}
            limits: {memory: 64Mi}
          terminationMessagePolicy: FallbackToLogsOnError
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          volumeMounts:
            - {name: admin, mountPath: /admin, readOnly: true}
            - {name: binding, mountPath: /binding, readOnly: true}
      volumes:
        - name: admin
          secret: {secretName: {{ $instance.release }}-admin, defaultMode: 0440}
        - name: binding
          # a user whose Secret was lost can still be dropped
          secret: {secretName: {{ $root.Release.Name }}, defaultMode: 0440, optional: true}
{{- end }}
