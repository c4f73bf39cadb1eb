{{- /* What all pods have in common. root, component; account: the name of the ServiceAccount */ -}}
{{- define "helmbroker.pod" -}}
serviceAccountName: {{ include "helmbroker.name" .root }}-{{ .account }}
# Containers that speak to the cluster mount its token themselves.
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ add 40 .root.Values.drainSeconds }}
securityContext:
  {{- with .root.Values.podSecurityContext }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  runAsNonRoot: true
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.scheduling }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- $others := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" (include "helmbroker.selector" . | fromYaml)) }}
{{- if eq .root.Values.scheduling.antiAffinity "soft" }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm: {{- toYaml $others | nindent 10 }}
{{- else if eq .root.Values.scheduling.antiAffinity "hard" }}
affinity:
  podAntiAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - {{- toYaml $others | nindent 8 }}
{{- end }}
{{- end }}

{{- define "helmbroker.podMetadata" -}}
labels:
  {{- include "helmbroker.labels" . | nindent 2 }}
  {{- with .root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  # Programs read these files when they start.
  helmbroker.io/configuration: {{ include (print .root.Template.BasePath "/configuration.yaml") .root | sha256sum }}
  {{- with .root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* A new pod is ready before an old one goes; where each needs a node of its own, one has to go first. */ -}}
{{- define "helmbroker.strategy" -}}
{{- $alone := eq .Values.scheduling.antiAffinity "hard" -}}
strategy: {rollingUpdate: {maxUnavailable: {{ ternary 1 0 $alone }}, maxSurge: {{ ternary 0 1 $alone }}}}
{{- end }}

{{- /* root, name, command, env (a map), resources, port, scheme */ -}}
{{- define "helmbroker.container" -}}
{{- include "helmbroker.understood" (dict "what" "the settings that the chart makes of its values" "yaml" .env) -}}
name: {{ .name }}
image: {{ include "helmbroker.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
command: {{- toYaml .command | nindent 2 }}
env:
  {{- range $name, $value := .env }}
  - {name: {{ $name }}, value: {{ $value | toString | quote }}}
  {{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources: {{- toYaml .resources | nindent 2 }}
ports:
  - {name: {{ .name }}, containerPort: {{ .port }}}
startupProbe:
  httpGet: {path: /healthz, port: {{ .name }}, scheme: {{ .scheme }}}
  periodSeconds: 1
  timeoutSeconds: 5
  # A migration of a large database may take minutes; killing it would start it anew.
  failureThreshold: 600
readinessProbe:
  httpGet: {path: /readyz, port: {{ .name }}, scheme: {{ .scheme }}}
  periodSeconds: 3
  # Where all replicas are slow for a moment none should leave: of a Service without pods everybody is refused.
  timeoutSeconds: 10
  failureThreshold: 4
livenessProbe:
  httpGet: {path: /healthz, port: {{ .name }}, scheme: {{ .scheme }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}

{{- /* root, component (broker or bridge) */ -}}
{{- define "helmbroker.mounts" -}}
- {name: data, mountPath: /var/lib/helmbroker}
- {name: tmp, mountPath: /tmp}
- {name: keys, mountPath: /etc/helmbroker/keys, readOnly: true}
{{- if include "helmbroker.postgresql" .root }}
- {name: database, mountPath: /etc/helmbroker/database, readOnly: true}
{{- end }}
{{- if .root.Values.tls.enabled }}
- {name: tls, mountPath: /etc/helmbroker/tls, readOnly: true}
{{- end }}
{{- with get .root.Values .component }}
{{- range .secrets }}
- {name: secret-{{ . }}, mountPath: /etc/helmbroker/secrets/{{ . }}, readOnly: true}
{{- end }}
{{- range .configMaps }}
- {name: files-{{ . }}, mountPath: /etc/helmbroker/files/{{ . }}, readOnly: true}
{{- end }}
{{- end }}
{{- end }}

{{- define "helmbroker.accountMount" -}}
- {name: account, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end }}

{{- /* root, component (broker or bridge): what its pods mount. Data on a volume claim is not among them. */ -}}
{{- define "helmbroker.volumes" -}}
- {name: tmp, emptyDir: {sizeLimit: 256Mi}}
- {name: keys, secret: {secretName: {{ include "helmbroker.name" .root }}-{{ .component }}-keys}}
{{- if include "helmbroker.postgresql" .root }}
- {name: data, emptyDir: {sizeLimit: 2Gi}}
{{- with get .root.Values.database .component }}
- {name: database, secret: {secretName: {{ .secretName }}, items: [{key: {{ .key }}, path: url}]}}
{{- end }}
{{- end }}
{{- if .root.Values.tls.enabled }}
- {name: tls, secret: {secretName: {{ include "helmbroker.certificate" .root }}}}
{{- end }}
{{- with get .root.Values .component }}
{{- range .secrets }}
- {name: secret-{{ . }}, secret: {secretName: {{ . }}}}
{{- end }}
{{- range .configMaps }}
- {name: files-{{ . }}, configMap: {name: {{ . }}}}
{{- end }}
{{- end }}
- name: account
  projected:
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3607}
      - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
      - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- end }}

{{- /* root, component: the volume of a StatefulSet, for SQLite */ -}}
{{- define "helmbroker.claim" -}}
- metadata:
    name: data
    labels: {{- include "helmbroker.selector" . | nindent 6 }}
  spec:
    accessModes: [ReadWriteOnce]
    resources: {requests: {storage: {{ .root.Values.storage.size }}}}
    {{- with .root.Values.storage.className }}
    storageClassName: {{ . }}
    {{- end }}
{{- end }}

{{- /* containers, volumes: YAML lists. A pod gets no volume that none of its containers mounts. */ -}}
{{- define "helmbroker.containersAndVolumes" -}}
{{- $mounted := list }}
{{- range .containers | fromYamlArray }}{{ range .volumeMounts }}{{ $mounted = append $mounted .name }}{{ end }}{{ end -}}
containers:
  {{- .containers | nindent 2 }}
volumes:
  {{- range .volumes | fromYamlArray }}
  {{- if has .name $mounted }}
  {{- if .secret }}{{ $_ := set .secret "defaultMode" 288 }}{{ end }}{{/* 0440: for the group of the pod */}}
  - {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end }}
