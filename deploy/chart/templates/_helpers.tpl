{{- /* Names; each says what src/deployment/names.ts says. */ -}}
{{- define "ballast.name" -}}
{{- default "ballast" .Values.nameOverride -}}
{{- end -}}

{{- define "ballast.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 44 | trimSuffix "-" -}}
{{- else if contains (include "ballast.name" .) .Release.Name -}}
{{- .Release.Name | trunc 44 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "ballast.name" .) | trunc 44 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "ballast.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "ballast.agentNamespace" -}}
{{- default "ballast-agent" .Values.agent.namespace -}}
{{- end -}}

{{- define "ballast.image" -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry -}}
{{- if $registry }}{{ $registry }}/{{ end -}}
{{- .Values.image.repository -}}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end -}}
{{- end -}}

{{- define "ballast.serviceAccount" -}}
{{- default (printf "%s-controller" (include "ballast.fullname" .)) .Values.controller.serviceAccount.name -}}
{{- end -}}

{{- define "ballast.apiserverAccount" -}}
{{- default (printf "%s-apiserver" (include "ballast.fullname" .)) .Values.apiserver.serviceAccount.name -}}
{{- end -}}

{{- define "ballast.agentAccount" -}}
{{- default (printf "%s-agent" (include "ballast.fullname" .)) .Values.agent.serviceAccount.name -}}
{{- end -}}

{{- define "ballast.deschedulerAccount" -}}
{{- default (printf "%s-descheduler" (include "ballast.fullname" .)) .Values.descheduler.serviceAccount.name -}}
{{- end -}}

{{- define "ballast.mirrorAccount" -}}
{{- default (printf "%s-agent-mirror" (include "ballast.fullname" .)) .Values.mirror.serviceAccount.name -}}
{{- end -}}

{{- define "ballast.nfsAccount" -}}
{{- default (printf "%s-agent-nfs" (include "ballast.fullname" .)) .Values.nfs.node.serviceAccount.name -}}
{{- end -}}

{{- define "ballast.nfsControllerAccount" -}}
{{- default (printf "%s-nfs-controller" (include "ballast.fullname" .)) .Values.nfs.controller.serviceAccount.name -}}
{{- end -}}

{{- define "ballast.gatewayAccount" -}}
{{- default (printf "%s-gateway" (include "ballast.fullname" .)) .Values.gateway.serviceAccount.name -}}
{{- end -}}

{{- define "ballast.labels" -}}
app.kubernetes.io/name: "{{ include "ballast.name" .root }}"
app.kubernetes.io/instance: "{{ .root.Release.Name }}"
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: "{{ .root.Chart.AppVersion }}"
app.kubernetes.io/part-of: ballast
app.kubernetes.io/managed-by: "{{ .root.Release.Service }}"
helm.sh/chart: "{{ .root.Chart.Name }}-{{ .root.Chart.Version | replace "+" "_" }}"
{{- end -}}
