{{- define "ballast.rules.apiserver-secrets" -}}
{{- if and $.Values.capabilities.autoscale.enabled (not $.Values.capabilities.autoscale.restrictSecretAccess) }}
- apiGroups:
    - ""
  resources:
    - secrets
  verbs:
    - get
{{- end }}
{{- end -}}
