{{- define "ballast.rules.gateway-workloads" -}}
{{- if $.Values.capabilities.gateway.enabled }}
- apiGroups:
    - ""
  resources:
    - configmaps
    - pods
    - services
  verbs:
    - get
    - list
    - watch
- apiGroups:
    - apps
  resources:
    - deployments
    - statefulsets
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
    - get
    - list
    - patch
    - watch
- apiGroups:
    - http.keda.sh
  resources:
    - httpscaledobjects
    - interceptorroutes
  verbs:
    - get
    - list
    - watch
- apiGroups:
    - http.keda.sh
  resources:
    - httpscaledobjects/status
    - interceptorroutes/status
  verbs:
    - get
    - patch
- apiGroups:
    - keda.sh
  resources:
    - scaledobjects
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- end -}}
