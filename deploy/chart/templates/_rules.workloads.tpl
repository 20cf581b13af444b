{{- define "ballast.rules.workloads" -}}
{{- if and $.Values.capabilities.reload.enabled (and (not $.Values.capabilities.reload.namespaces) (not (has "configmaps" $.Values.capabilities.reload.resourcesToIgnore))) }}
- apiGroups:
    - ""
  resources:
    - configmaps
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- if or (and $.Values.capabilities.readiness.enabled $.Values.capabilities.readiness.nidhogg) $.Values.capabilities.reload.enabled }}
- apiGroups:
    - ""
  resources:
    - events
  verbs:
    - create
    - patch
{{- end }}
{{- if $.Values.capabilities.autoscale.enabled }}
- apiGroups:
    - ""
  resources:
    - limitranges
  verbs:
    - list
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
- apiGroups:
    - ""
  resources:
    - persistentvolumeclaims
    - replicationcontrollers
    - services
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- if or (or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.devices.enabled $.Values.capabilities.devices.operator.enabled) (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled) (or $.Values.capabilities.deschedule.enabled $.Values.capabilities.isolate.enabled) }}
- apiGroups:
    - ""
  resources:
    - pods
  verbs:
{{- if or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.devices.enabled $.Values.capabilities.devices.operator.enabled) (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - get
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.devices.enabled $.Values.capabilities.devices.operator.enabled) (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - list
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled $.Values.capabilities.isolate.enabled }}
    - patch
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.devices.enabled $.Values.capabilities.devices.operator.enabled) (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - watch
{{- end }}
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled $.Values.capabilities.isolate.enabled $.Values.capabilities.reload.enabled }}
- apiGroups:
    - ""
  resources:
    - pods/eviction
  verbs:
    - create
{{- end }}
{{- if or (or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.devices.enabled $.Values.capabilities.devices.operator.enabled) (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.mirror.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled) (or $.Values.capabilities.deschedule.enabled $.Values.capabilities.isolate.enabled $.Values.capabilities.reload.enabled) }}
- apiGroups:
    - apps
  resources:
    - daemonsets
  verbs:
{{- if or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.devices.enabled $.Values.capabilities.devices.operator.enabled) (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.mirror.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - get
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.devices.enabled $.Values.capabilities.devices.operator.enabled) (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.mirror.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - list
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled $.Values.capabilities.isolate.enabled $.Values.capabilities.reload.enabled }}
    - patch
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.devices.enabled $.Values.capabilities.devices.operator.enabled) (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.mirror.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - watch
{{- end }}
{{- end }}
{{- if or (or $.Values.capabilities.autoscale.enabled $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.mirror.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled) (or $.Values.capabilities.deschedule.enabled $.Values.capabilities.isolate.enabled $.Values.capabilities.reload.enabled) }}
- apiGroups:
    - apps
  resources:
    - deployments
  verbs:
{{- if or $.Values.capabilities.autoscale.enabled $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.mirror.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - get
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.mirror.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - list
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled $.Values.capabilities.isolate.enabled $.Values.capabilities.reload.enabled }}
    - patch
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.mirror.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - watch
{{- end }}
{{- end }}
{{- if or (or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled) (or $.Values.capabilities.deschedule.enabled $.Values.capabilities.isolate.enabled) }}
- apiGroups:
    - apps
  resources:
    - replicasets
  verbs:
{{- if or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - get
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - list
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled $.Values.capabilities.isolate.enabled }}
    - patch
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - watch
{{- end }}
{{- end }}
{{- if or (or $.Values.capabilities.autoscale.enabled $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled) (or $.Values.capabilities.deschedule.enabled $.Values.capabilities.isolate.enabled $.Values.capabilities.reload.enabled) }}
- apiGroups:
    - apps
  resources:
    - statefulsets
  verbs:
{{- if or $.Values.capabilities.autoscale.enabled $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - get
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - list
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled $.Values.capabilities.isolate.enabled $.Values.capabilities.reload.enabled }}
    - patch
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - watch
{{- end }}
{{- end }}
{{- if and $.Values.capabilities.reload.enabled $.Values.capabilities.reload.argoRollouts }}
- apiGroups:
    - argoproj.io
  resources:
    - rollouts
  verbs:
    - get
    - list
    - patch
    - watch
{{- end }}
{{- if $.Values.capabilities.autoscale.enabled }}
- apiGroups:
    - autoscaling
  resources:
    - horizontalpodautoscalers
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled $.Values.capabilities.features.enabled $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
- apiGroups:
    - ballast.dev
  resources:
    - disruptionpermits
  verbs:
    - create
    - delete
    - get
    - list
    - patch
    - watch
- apiGroups:
    - ballast.dev
  resources:
    - disruptionpermits/status
  verbs:
    - patch
    - update
{{- end }}
{{- if and $.Values.capabilities.reload.enabled (not (has "cronjobs" $.Values.capabilities.reload.ignoredWorkloadTypes)) }}
- apiGroups:
    - batch
  resources:
    - cronjobs
  verbs:
    - get
    - list
    - patch
    - watch
{{- end }}
{{- if or (and $.Values.capabilities.reload.enabled (or (not (has "jobs" $.Values.capabilities.reload.ignoredWorkloadTypes)) (not (has "cronjobs" $.Values.capabilities.reload.ignoredWorkloadTypes)))) (and $.Values.capabilities.reload.enabled (not (has "jobs" $.Values.capabilities.reload.ignoredWorkloadTypes))) (or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled) }}
- apiGroups:
    - batch
  resources:
    - jobs
  verbs:
{{- if and $.Values.capabilities.reload.enabled (or (not (has "jobs" $.Values.capabilities.reload.ignoredWorkloadTypes)) (not (has "cronjobs" $.Values.capabilities.reload.ignoredWorkloadTypes))) }}
    - create
{{- end }}
{{- if and $.Values.capabilities.reload.enabled (not (has "jobs" $.Values.capabilities.reload.ignoredWorkloadTypes)) }}
    - delete
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - get
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - list
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - watch
{{- end }}
{{- end }}
{{- if $.Values.capabilities.readiness.enabled }}
- apiGroups:
    - coordination.k8s.io
  resources:
    - leases
  resourceNames:
    - ba65f13e.readiness.node.x-k8s.io
  verbs:
    - get
    - update
{{- end }}
{{- if $.Values.capabilities.devices.enabled }}
- apiGroups:
    - coordination.k8s.io
  resources:
    - leases
  resourceNames:
    - d1c7b6d5.intel.com
  verbs:
    - get
    - update
{{- end }}
{{- if $.Values.capabilities.features.enabled }}
- apiGroups:
    - coordination.k8s.io
  resources:
    - leases
  resourceNames:
    - nfd-master.nfd.kubernetes.io
  verbs:
    - get
    - update
{{- end }}
{{- if $.Values.capabilities.reload.enabled }}
- apiGroups:
    - coordination.k8s.io
  resources:
    - leases
  resourceNames:
    - stakater-reloader-lock
  verbs:
    - get
    - update
{{- end }}
{{- if or $.Values.capabilities.devices.enabled $.Values.capabilities.features.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
- apiGroups:
    - coordination.k8s.io
  resources:
    - leases
  verbs:
    - create
    - list
{{- end }}
{{- if or (or $.Values.capabilities.autoscale.enabled $.Values.capabilities.deschedule.enabled $.Values.capabilities.devices.enabled $.Values.capabilities.features.enabled $.Values.capabilities.isolate.enabled $.Values.capabilities.mirror.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled) (or $.Values.capabilities.deschedule.enabled $.Values.capabilities.features.enabled $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled) }}
- apiGroups:
    - events.k8s.io
  resources:
    - events
  verbs:
{{- if or $.Values.capabilities.autoscale.enabled $.Values.capabilities.deschedule.enabled $.Values.capabilities.devices.enabled $.Values.capabilities.features.enabled $.Values.capabilities.isolate.enabled $.Values.capabilities.mirror.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - create
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled $.Values.capabilities.features.enabled $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - list
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled $.Values.capabilities.deschedule.enabled $.Values.capabilities.devices.enabled $.Values.capabilities.features.enabled $.Values.capabilities.isolate.enabled $.Values.capabilities.mirror.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
    - patch
{{- end }}
{{- end }}
{{- if and $.Values.capabilities.devices.enabled $.Values.capabilities.devices.operator.enabled }}
- apiGroups:
    - fpga.intel.com
  resources:
    - acceleratorfunctions
    - fpgaregions
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
- apiGroups:
    - keda.sh
  resources:
    - scaledjobs
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- if or $.Values.capabilities.autoscale.enabled $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
- apiGroups:
    - keda.sh
  resources:
    - scaledobjects
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled $.Values.capabilities.isolate.enabled }}
- apiGroups:
    - metrics.k8s.io
  resources:
    - pods
  verbs:
    - get
    - list
{{- end }}
{{- if $.Values.capabilities.features.enabled }}
- apiGroups:
    - nfd.k8s-sigs.io
  resources:
    - nodefeatures
  verbs:
    - delete
    - get
    - list
    - watch
{{- end }}
{{- if or $.Values.capabilities.deschedule.enabled (and $.Values.capabilities.features.enabled $.Values.capabilities.features.master.enableTaints) $.Values.capabilities.isolate.enabled $.Values.capabilities.readiness.enabled $.Values.capabilities.reload.enabled }}
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
{{- if and $.Values.capabilities.reload.enabled (and (not $.Values.capabilities.reload.namespaces) $.Values.capabilities.reload.csiIntegration) }}
- apiGroups:
    - secrets-store.csi.x-k8s.io
  resources:
    - secretproviderclasses
    - secretproviderclasspodstatuses
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- if $.Values.capabilities.reload.enabled }}
{{- range $item := $.Values.capabilities.reload.customKinds }}
- apiGroups:
    - "{{ $item.group }}"
  resources:
    - "{{ $item.resource }}"
  verbs:
    - get
    - list
    - patch
    - watch
{{- end }}
{{- end }}
{{- end -}}
