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
{{- if and $.Values.capabilities.devices.enabled $.Values.capabilities.devices.dra.enabled }}
- apiGroups:
    - resource.k8s.io
  resources:
    - resourceclaims
  verbs:
    - get
{{- end }}
{{- end -}}
