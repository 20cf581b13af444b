{{- define "ballast.rules.apiserver-workloads" -}}
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
- apiGroups:
    - ""
  resources:
    - configmaps
  resourceNames:
    - ballast-nfs-inventory
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- if $.Values.capabilities.autoscale.enabled }}
- apiGroups:
    - ""
  resources:
    - configmaps
  verbs:
    - get
{{- end }}
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
- apiGroups:
    - ""
  resources:
    - persistentvolumeclaims
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- if or (or (or $.Values.capabilities.autoscale.enabled $.Values.capabilities.metrics.enabled) (and $.Values.apiserver.enabled $.Values.dashboard.enabled)) (and (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (eq $.Values.dashboard.auth.mode "proxy") $.Values.dashboard.actions)) }}
- apiGroups:
    - ""
  resources:
    - pods
  verbs:
{{- if or (or $.Values.capabilities.autoscale.enabled $.Values.capabilities.metrics.enabled) (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - get
{{- end }}
{{- if or (or $.Values.capabilities.autoscale.enabled $.Values.capabilities.metrics.enabled) (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - list
{{- end }}
{{- if and (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (eq $.Values.dashboard.auth.mode "proxy") $.Values.dashboard.actions) }}
    - patch
{{- end }}
{{- if or (or $.Values.capabilities.autoscale.enabled $.Values.capabilities.metrics.enabled) (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - watch
{{- end }}
{{- end }}
{{- if or (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (eq $.Values.dashboard.auth.mode "proxy") $.Values.dashboard.actions)) }}
- apiGroups:
    - ""
  resources:
    - replicationcontrollers
  verbs:
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
    - get
{{- end }}
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
    - list
{{- end }}
{{- if and (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (eq $.Values.dashboard.auth.mode "proxy") $.Values.dashboard.actions) }}
    - patch
{{- end }}
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
    - watch
{{- end }}
{{- end }}
{{- if or $.Values.capabilities.gateway.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
- apiGroups:
    - ""
  resources:
    - services
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- if or (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (eq $.Values.dashboard.auth.mode "proxy") $.Values.dashboard.actions)) }}
- apiGroups:
    - apps
  resources:
    - daemonsets
    - replicasets
  verbs:
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
    - get
{{- end }}
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
    - list
{{- end }}
{{- if and (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (eq $.Values.dashboard.auth.mode "proxy") $.Values.dashboard.actions) }}
    - patch
{{- end }}
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
    - watch
{{- end }}
{{- end }}
{{- if or (or $.Values.capabilities.autoscale.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled)) (and (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (eq $.Values.dashboard.auth.mode "proxy") $.Values.dashboard.actions)) }}
- apiGroups:
    - apps
  resources:
    - deployments
    - statefulsets
  verbs:
{{- if or $.Values.capabilities.autoscale.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - get
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - list
{{- end }}
{{- if and (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (eq $.Values.dashboard.auth.mode "proxy") $.Values.dashboard.actions) }}
    - patch
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - watch
{{- end }}
{{- end }}
{{- if $.Values.capabilities.autoscale.enabled }}
- apiGroups:
    - apps
  resources:
    - deployments/scale
    - replicasets/scale
    - statefulsets/scale
  verbs:
    - get
    - update
- apiGroups:
    - argoproj.io
  resources:
    - rollouts/scale
  verbs:
    - get
    - update
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled (or $.Values.capabilities.autoscale.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled)) }}
- apiGroups:
    - autoscaling
  resources:
    - horizontalpodautoscalers
  verbs:
{{- if $.Values.capabilities.autoscale.enabled }}
    - create
{{- end }}
{{- if $.Values.capabilities.autoscale.enabled }}
    - delete
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - get
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - list
{{- end }}
{{- if $.Values.capabilities.autoscale.enabled }}
    - update
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - watch
{{- end }}
{{- end }}
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
- apiGroups:
    - ballast.dev
  resources:
    - disruptionpermits
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- if and (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (eq $.Values.dashboard.auth.mode "proxy") $.Values.dashboard.actions) }}
- apiGroups:
    - batch
  resources:
    - cronjobs
  verbs:
    - patch
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled (or $.Values.capabilities.autoscale.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled)) (and (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (eq $.Values.dashboard.auth.mode "proxy") $.Values.dashboard.actions)) }}
- apiGroups:
    - batch
  resources:
    - jobs
  verbs:
{{- if $.Values.capabilities.autoscale.enabled }}
    - create
{{- end }}
{{- if $.Values.capabilities.autoscale.enabled }}
    - delete
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - get
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - list
{{- end }}
{{- if and (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (eq $.Values.dashboard.auth.mode "proxy") $.Values.dashboard.actions) }}
    - patch
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - watch
{{- end }}
{{- end }}
{{- if $.Values.capabilities.gateway.enabled }}
- apiGroups:
    - coordination.k8s.io
  resources:
    - leases
  resourceNames:
    - http-add-on.keda.sh
  verbs:
    - get
    - update
{{- end }}
{{- if $.Values.capabilities.autoscale.enabled }}
- apiGroups:
    - coordination.k8s.io
  resources:
    - leases
  resourceNames:
    - operator.keda.sh
  verbs:
    - get
    - update
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled $.Values.capabilities.gateway.enabled }}
- apiGroups:
    - coordination.k8s.io
  resources:
    - leases
  verbs:
    - create
    - list
{{- end }}
{{- if or $.Values.capabilities.gateway.enabled (or $.Values.capabilities.autoscale.enabled $.Values.capabilities.gateway.enabled) }}
- apiGroups:
    - discovery.k8s.io
  resources:
    - endpointslices
  verbs:
{{- if $.Values.capabilities.gateway.enabled }}
    - create
{{- end }}
{{- if $.Values.capabilities.gateway.enabled }}
    - delete
{{- end }}
{{- if $.Values.capabilities.gateway.enabled }}
    - get
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled $.Values.capabilities.gateway.enabled }}
    - list
{{- end }}
{{- if $.Values.capabilities.gateway.enabled }}
    - patch
{{- end }}
{{- if $.Values.capabilities.gateway.enabled }}
    - watch
{{- end }}
{{- end }}
{{- if $.Values.capabilities.autoscale.enabled }}
- apiGroups:
    - eventing.keda.sh
  resources:
    - cloudeventsources
  verbs:
    - get
    - list
    - patch
    - watch
- apiGroups:
    - eventing.keda.sh
  resources:
    - cloudeventsources/status
  verbs:
    - patch
{{- end }}
{{- if or (or (or $.Values.capabilities.autoscale.enabled $.Values.capabilities.gateway.enabled $.Values.capabilities.metrics.enabled) (and (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (eq $.Values.dashboard.auth.mode "proxy") $.Values.dashboard.actions))) (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (or $.Values.capabilities.autoscale.enabled $.Values.capabilities.gateway.enabled $.Values.capabilities.metrics.enabled) }}
- apiGroups:
    - events.k8s.io
  resources:
    - events
  verbs:
{{- if or (or $.Values.capabilities.autoscale.enabled $.Values.capabilities.gateway.enabled $.Values.capabilities.metrics.enabled) (and (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (eq $.Values.dashboard.auth.mode "proxy") $.Values.dashboard.actions)) }}
    - create
{{- end }}
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
    - get
{{- end }}
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
    - list
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled $.Values.capabilities.gateway.enabled $.Values.capabilities.metrics.enabled }}
    - patch
{{- end }}
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
    - watch
{{- end }}
{{- end }}
{{- if $.Values.capabilities.gateway.enabled }}
- apiGroups:
    - http.keda.sh
  resources:
    - httpscaledobjects
  verbs:
    - get
    - list
    - patch
    - update
    - watch
- apiGroups:
    - http.keda.sh
  resources:
    - httpscaledobjects/finalizers
  verbs:
    - get
    - patch
    - update
- apiGroups:
    - http.keda.sh
  resources:
    - httpscaledobjects/status
    - interceptorroutes/status
  verbs:
    - get
    - patch
- apiGroups:
    - http.keda.sh
  resources:
    - interceptorroutes
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- if or (or $.Values.capabilities.autoscale.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled)) $.Values.capabilities.autoscale.enabled }}
- apiGroups:
    - keda.sh
  resources:
    - scaledjobs
  verbs:
{{- if or $.Values.capabilities.autoscale.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - get
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - list
{{- end }}
{{- if $.Values.capabilities.autoscale.enabled }}
    - patch
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - watch
{{- end }}
{{- end }}
{{- if $.Values.capabilities.autoscale.enabled }}
- apiGroups:
    - keda.sh
  resources:
    - scaledjobs/status
    - scaledobjects/status
    - triggerauthentications/status
  verbs:
    - patch
{{- end }}
{{- if or $.Values.capabilities.gateway.enabled (or (or $.Values.capabilities.autoscale.enabled $.Values.capabilities.gateway.enabled) (and $.Values.apiserver.enabled $.Values.dashboard.enabled)) (or $.Values.capabilities.autoscale.enabled $.Values.capabilities.gateway.enabled) }}
- apiGroups:
    - keda.sh
  resources:
    - scaledobjects
  verbs:
{{- if $.Values.capabilities.gateway.enabled }}
    - create
{{- end }}
{{- if $.Values.capabilities.gateway.enabled }}
    - delete
{{- end }}
{{- if or (or $.Values.capabilities.autoscale.enabled $.Values.capabilities.gateway.enabled) (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - get
{{- end }}
{{- if or (or $.Values.capabilities.autoscale.enabled $.Values.capabilities.gateway.enabled) (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - list
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled $.Values.capabilities.gateway.enabled }}
    - patch
{{- end }}
{{- if or (or $.Values.capabilities.autoscale.enabled $.Values.capabilities.gateway.enabled) (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - watch
{{- end }}
{{- end }}
{{- if $.Values.capabilities.autoscale.enabled }}
- apiGroups:
    - keda.sh
  resources:
    - triggerauthentications
  verbs:
    - get
    - list
    - patch
    - watch
{{- end }}
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
- apiGroups:
    - metrics.k8s.io
  resources:
    - pods
  verbs:
    - get
    - list
- apiGroups:
    - policy
  resources:
    - poddisruptionbudgets
  verbs:
    - get
    - list
    - watch
- apiGroups:
    - resource.k8s.io
  resources:
    - resourceclaims
    - resourceclaimtemplates
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- if $.Values.capabilities.autoscale.enabled }}
{{- range $item := $.Values.capabilities.autoscale.scaleKinds }}
- apiGroups:
    - "{{ $item.group }}"
  resources:
    - "{{ $item.resource }}/scale"
  verbs:
    - get
    - update
{{- end }}
{{- end }}
{{- end -}}
