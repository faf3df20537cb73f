{{/* Parts that all pods share. Each takes: dict "root" . "component" NAME "spec" VALUES */}}

{{/* What every process needs to know, as data of a ConfigMap. */}}
{{- define "lotgate.common-config" -}}
{{- $v := .root.Values -}}
LOTGATE_BOOTSTRAP: {{ $v.kafka.bootstrap | quote }}
LOTGATE_REGISTRY_URL: {{ $v.registry.url | quote }}
LOTGATE_PREFIX: {{ $v.kafka.prefix | quote }}
LOTGATE_GROUP: {{ $v.kafka.group | quote }}
LOTGATE_SECURITY_PROTOCOL: {{ $v.kafka.securityProtocol | quote }}
{{- if $v.kafka.sasl.mechanism }}
LOTGATE_SASL_MECHANISM: {{ $v.kafka.sasl.mechanism | quote }}
LOTGATE_SASL_USERNAME: {{ .spec.saslUsername | quote }}
LOTGATE_SASL_PASSWORD_FILE: /etc/lotgate/kafka/password
{{- end }}
{{- if $v.kafka.ca.existingConfigMap }}
LOTGATE_CA_FILE: /etc/lotgate/ca/ca.crt
{{- end }}
LOTGATE_REPLICATION_FACTOR: {{ $v.kafka.replicationFactor | quote }}
LOTGATE_MIN_INSYNC: {{ $v.kafka.minInsync | quote }}
LOTGATE_PROVISION: {{ $v.provision | quote }}
LOTGATE_LOG_FORMAT: {{ $v.logFormat | quote }}
{{- range $name, $value := .spec.env }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- define "lotgate.pod-metadata" -}}
labels:
  {{- include "lotgate.labels" . | nindent 2 }}
  {{- with .root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  checksum/config: {{ .config | sha256sum }}
  {{- with .root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "lotgate.pod-common" -}}
{{- $v := .root.Values -}}
serviceAccountName: {{ include "lotgate.component" . }}
automountServiceAccountToken: false
# Kubernetes would add LOTGATE_…_PORT variables for every service otherwise.
enableServiceLinks: false
{{- with $v.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ $v.podSecurity.runAsUser }}
  runAsGroup: {{ $v.podSecurity.runAsGroup }}
  fsGroup: {{ $v.podSecurity.fsGroup }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
topologySpreadConstraints:
  {{- if $v.topologySpreadConstraints }}
  {{- toYaml $v.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  {{- range tuple "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "lotgate.selector" $ | nindent 8 }}
  {{- end }}
  {{- end }}
{{- with $v.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "lotgate.container-common" -}}
image: {{ include "lotgate.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  privileged: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities:
    drop: [ALL]
envFrom:
  - configMapRef:
      name: {{ include "lotgate.component" . }}
{{- end -}}

{{/* Mounts and volumes of what every pod may need: scratch space, the Kafka password, the CA. */}}
{{- define "lotgate.mounts" -}}
- name: tmp
  mountPath: /tmp
{{- if .root.Values.kafka.sasl.mechanism }}
- name: kafka
  mountPath: /etc/lotgate/kafka
  readOnly: true
{{- end }}
{{- if .root.Values.kafka.ca.existingConfigMap }}
- name: ca
  mountPath: /etc/lotgate/ca
  readOnly: true
{{- end }}
{{- end -}}

{{- define "lotgate.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- if .root.Values.kafka.sasl.mechanism }}
- name: kafka
  secret:
    secretName: {{ .root.Values.kafka.sasl.existingSecret }}
    defaultMode: 0440
    items:
      - key: {{ .spec.saslPasswordKey }}
        path: password
{{- end }}
{{- if .root.Values.kafka.ca.existingConfigMap }}
- name: ca
  configMap:
    name: {{ .root.Values.kafka.ca.existingConfigMap }}
    items:
      - key: {{ .root.Values.kafka.ca.key }}
        path: ca.crt
{{- end }}
{{- end -}}
