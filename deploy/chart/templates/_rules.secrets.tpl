{{- define "ballast.rules.secrets" -}}
{{- if and $.Values.capabilities.reload.enabled (and (not $.Values.capabilities.reload.namespaces) (not (has "secrets" $.Values.capabilities.reload.resourcesToIgnore))) }}
- apiGroups:
    - ""
  resources:
    - secrets
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- end -}}
