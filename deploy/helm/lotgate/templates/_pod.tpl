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

{{/*
Probes of a worker. Liveness waits longer than the watchdog: a worker that hangs should end itself
and say where; one that only waits for the broker or restores its state is alive.
*/}}
{{- define "lotgate.worker-probes" -}}
{{- $patience := add 1 (div (int .spec.watchdogSeconds) 10) | max 3 -}}
{{- include "lotgate.probes" (dict "health" .spec.health "probes" .spec.probes "patience" $patience) -}}
{{- end -}}

{{/* Probes of a connector. What it needs and what is away makes it unready, never dead. */}}
{{- define "lotgate.connector-probes" -}}
{{- $all := .root.Values.connectorDefaults -}}
{{- include "lotgate.probes" (dict "health" $all.health "probes" $all.probes "patience" 6) -}}
{{- end -}}

{{/* dict "health" PORT-AND-START "probes" THE-USER'S-OWN "patience" FAILURES-OF-LIVENESS */}}
{{- define "lotgate.probes" -}}
{{- $health := .health -}}
{{- $own := dict -}}
{{- if $health.port -}}
{{- $start := dict "periodSeconds" 5 "failureThreshold" (max 1 (div (int $health.startSeconds) 5)) -}}
{{- $_ := set $own "startupProbe" (dict "path" "/startupz" "every" $start) -}}
{{- $_ := set $own "readinessProbe" (dict "path" "/readyz" "every" (dict "periodSeconds" 5 "failureThreshold" 2)) -}}
{{- $_ := set $own "livenessProbe" (dict "path" "/livez" "every" (dict "periodSeconds" 10 "failureThreshold" .patience)) -}}
ports:
  - {name: health, containerPort: {{ $health.port }}, protocol: TCP}
{{- end }}
{{- range $name := list "startupProbe" "readinessProbe" "livenessProbe" }}
{{- if hasKey $.probes $name }}
{{ $name }}:
  {{- toYaml (get $.probes $name) | nindent 2 }}
{{- else if hasKey $own $name }}
{{- $probe := get $own $name }}
{{ $name }}:
  httpGet: {path: {{ $probe.path }}, port: health}
  timeoutSeconds: 3
  {{- toYaml $probe.every | nindent 2 }}
{{- end }}
{{- end }}
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
