{{- define "ballast.rules.apiserver-workloads" -}}
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
- apiGroups:
    - ""
  resources:
    - persistentvolumeclaims
    - services
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- if or (or $.Values.capabilities.metrics.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled)) (and (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (eq $.Values.dashboard.auth.mode "proxy") $.Values.dashboard.actions)) }}
- apiGroups:
    - ""
  resources:
    - pods
  verbs:
{{- if or $.Values.capabilities.metrics.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - get
{{- end }}
{{- if or $.Values.capabilities.metrics.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
    - list
{{- end }}
{{- if and (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (eq $.Values.dashboard.auth.mode "proxy") $.Values.dashboard.actions) }}
    - patch
{{- end }}
{{- if or $.Values.capabilities.metrics.enabled (and $.Values.apiserver.enabled $.Values.dashboard.enabled) }}
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
- apiGroups:
    - apps
  resources:
    - daemonsets
    - deployments
    - replicasets
    - statefulsets
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
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
- apiGroups:
    - autoscaling
  resources:
    - horizontalpodautoscalers
  verbs:
    - get
    - list
    - watch
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
{{- if or (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (eq $.Values.dashboard.auth.mode "proxy") $.Values.dashboard.actions)) }}
- apiGroups:
    - batch
  resources:
    - jobs
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
{{- if or (or $.Values.capabilities.metrics.enabled (and (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (eq $.Values.dashboard.auth.mode "proxy") $.Values.dashboard.actions))) (and $.Values.apiserver.enabled $.Values.dashboard.enabled) $.Values.capabilities.metrics.enabled }}
- apiGroups:
    - events.k8s.io
  resources:
    - events
  verbs:
{{- if or $.Values.capabilities.metrics.enabled (and (and $.Values.apiserver.enabled $.Values.dashboard.enabled) (and (eq $.Values.dashboard.auth.mode "proxy") $.Values.dashboard.actions)) }}
    - create
{{- end }}
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
    - get
{{- end }}
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
    - list
{{- end }}
{{- if $.Values.capabilities.metrics.enabled }}
    - patch
{{- end }}
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
    - watch
{{- end }}
{{- end }}
{{- if and $.Values.apiserver.enabled $.Values.dashboard.enabled }}
- apiGroups:
    - keda.sh
  resources:
    - scaledjobs
    - scaledobjects
  verbs:
    - get
    - list
    - watch
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
{{- end }}
{{- end -}}
