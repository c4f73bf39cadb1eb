{{- define "probe.job" -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .root.Release.Name }}-{{ .name }}
  labels: {app.kubernetes.io/instance: {{ .root.Release.Name }}}
  annotations:
    helm.sh/hook: {{ .hook }}
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  backoffLimit: 0
  template:
    metadata:
      labels: {app.kubernetes.io/instance: {{ .root.Release.Name }}}
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 0
      containers:
        - name: {{ .name }}
          image: {{ .root.Values.image }}
          command: [sh, -c, {{ .script | quote }}]
          env: [{name: TEXT, valueFrom: {configMapKeyRef: {name: {{ .root.Release.Name }}, key: text}}}]
          terminationMessagePolicy: FallbackToLogsOnError
{{- end }}
