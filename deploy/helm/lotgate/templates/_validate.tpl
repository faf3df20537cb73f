{{/* Everything that must be set or that cannot work together, told at once. */}}
{{- define "lotgate.validate" -}}
{{- $told := list -}}
{{- $v := .Values -}}
{{- if not $v.image.repository -}}
{{- $told = append $told "set image.repository to where your image is" -}}
{{- end -}}
{{- if not $v.kafka.bootstrap -}}
{{- $told = append $told "set kafka.bootstrap to the brokers, host:port[,host:port]" -}}
{{- end -}}
{{- if not $v.registry.url -}}
{{- $told = append $told "set registry.url to the root of the schema registry's interface" -}}
{{- end -}}
{{- if gt (int $v.worker.replicas) (int $v.worker.partitions) -}}
{{- $told = append $told (printf "worker.replicas is %d, but only %d workers can have a partition: lower it, or raise worker.partitions after the topics were widened" (int $v.worker.replicas) (int $v.worker.partitions)) -}}
{{- end -}}
{{- if gt (int $v.kafka.minInsync) (int $v.kafka.replicationFactor) -}}
{{- $told = append $told "kafka.minInsync is above kafka.replicationFactor: nothing could be written" -}}
{{- end -}}
{{- $sasl := hasPrefix "SASL_" $v.kafka.securityProtocol -}}
{{- if and $sasl (not (and $v.kafka.sasl.mechanism $v.kafka.sasl.existingSecret)) -}}
{{- $told = append $told (printf "kafka.securityProtocol %s needs kafka.sasl.mechanism and kafka.sasl.existingSecret" $v.kafka.securityProtocol) -}}
{{- end -}}
{{- if and $sasl (not $v.worker.saslUsername) -}}
{{- $told = append $told "set worker.saslUsername: each component has a principal of its own" -}}
{{- end -}}
{{- range $name, $connector := $v.connectors -}}
{{- if $connector.enabled -}}
{{- $place := printf "connectors.%s" $name -}}
{{- if and $sasl (not $connector.saslUsername) -}}
{{- $told = append $told (printf "set %s.saslUsername" $place) -}}
{{- end -}}
{{- if and $v.networkPolicy.enabled (not $connector.egress) -}}
{{- $told = append $told (printf "set %s.egress to the address of its system, e.g. [{cidr: 10.0.0.5/32, port: 5432}]" $place) -}}
{{- end -}}
{{- with $connector.source -}}
{{- if not .site -}}{{- $told = append $told (printf "set %s.source.site to the plant whose lots it describes" $place) -}}{{- end -}}
{{- if not .existingSecret -}}{{- $told = append $told (printf "set %s.source.existingSecret to the secret with the connection string" $place) -}}{{- end -}}
{{- end -}}
{{- with $connector.hold -}}
{{- if not .url -}}{{- $told = append $told (printf "set %s.hold.url to the ERP" $place) -}}{{- end -}}
{{- if not .existingSecret -}}{{- $told = append $told (printf "set %s.hold.existingSecret to the secret with the ERP user's key" $place) -}}{{- end -}}
{{- end -}}
{{- with $connector.evidence -}}
{{- if not .existingSecret -}}{{- $told = append $told (printf "set %s.evidence.existingSecret to the secret with the connection string" $place) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $told -}}
{{- fail (printf "\n\nThis release cannot be made yet:\n- %s\n" (join "\n- " $told)) -}}
{{- end -}}
{{- end -}}
