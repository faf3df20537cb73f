{{/* Variables of each kind of process; their meaning: `lotgate settings`. */}}

{{- define "lotgate.worker-config" -}}
{{ include "lotgate.common-config" . }}
LOTGATE_DATA_DIR: /var/lib/lotgate
LOTGATE_HOLD_TARGETS: {{ join "," .spec.holdTargets | quote }}
LOTGATE_SESSION_TIMEOUT_MS: {{ .spec.sessionTimeoutMs | int | quote }}
LOTGATE_TRANSACTION_TIMEOUT_MS: {{ .spec.transactionTimeoutMs | int | quote }}
LOTGATE_GROUP_PROTOCOL: {{ .spec.groupProtocol | quote }}
LOTGATE_STANDBYS: {{ .spec.standbys | int | quote }}
LOTGATE_WATCHDOG_S: {{ .spec.watchdogSeconds | quote }}
LOTGATE_HEALTH_PORT: {{ .spec.health.port | int | quote }}
{{- end -}}

{{- define "lotgate.connector-config" -}}
{{ include "lotgate.common-config" . }}
LOTGATE_HEALTH_PORT: {{ .root.Values.connectorDefaults.health.port | int | quote }}
{{- with .spec.source }}
LOTGATE_SOURCE_SITE: {{ .site | quote }}
LOTGATE_SOURCE_DSN_FILE: /etc/lotgate/system/secret
LOTGATE_SOURCE_PUBLICATION: {{ .publication | quote }}
{{- if .slot }}
LOTGATE_SOURCE_SLOT: {{ .slot | quote }}
{{- end }}
{{- if .translator }}
LOTGATE_SOURCE_TRANSLATOR: {{ .translator | quote }}
{{- end }}
{{- if .selection }}
LOTGATE_SOURCE_SELECTION: {{ .selection | toJson | quote }}
{{- end }}
{{- if .hashKey }}
LOTGATE_SOURCE_HASH_KEY_FILE: /etc/lotgate/system/hash-key
{{- end }}
{{- end }}
{{- with .spec.hold }}
LOTGATE_ERP_URL: {{ .url | quote }}
LOTGATE_ERP_KEY_FILE: /etc/lotgate/system/secret
LOTGATE_ERP_TIMEOUT_S: {{ .timeoutSeconds | quote }}
LOTGATE_ENFORCE: {{ .enforce | quote }}
LOTGATE_PLACE_OPEN: {{ .placeOpen | quote }}
LOTGATE_CANCEL_SHIPMENTS: {{ .cancelShipments | quote }}
{{- end }}
{{- with .spec.evidence }}
LOTGATE_EVIDENCE_DSN_FILE: /etc/lotgate/system/secret
{{- end }}
{{- end -}}
