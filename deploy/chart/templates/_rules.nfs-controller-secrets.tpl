{{- define "ballast.rules.nfs-controller-secrets" -}}
{{- if $.Values.capabilities.nfs.enabled }}
- apiGroups:
    - ""
  resources:
    - secrets
  verbs:
    - get
{{- end }}
{{- end -}}
