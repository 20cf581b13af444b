{{- define "ballast.rules.gateway-workloads" -}}
{{- if $.Values.capabilities.gateway.enabled }}
- apiGroups:
    - ""
  resources:
    - configmaps
    - services
  verbs:
    - get
    - list
    - watch
- apiGroups:
    - discovery.k8s.io
  resources:
    - endpointslices
  verbs:
    - get
    - list
    - watch
- apiGroups:
    - events.k8s.io
  resources:
    - events
  verbs:
    - create
    - patch
- apiGroups:
    - http.keda.sh
  resources:
    - httpscaledobjects
    - interceptorroutes
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- end -}}
