{{- define "ballast.rules.agent-workloads" -}}
{{- if and $.Values.capabilities.features.enabled $.Values.capabilities.features.topology.enabled }}
- apiGroups:
    - ""
  resources:
    - pods
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- end -}}
