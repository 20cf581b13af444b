{{- define "ballast.rules.nfs-controller-workloads" -}}
{{- if $.Values.capabilities.nfs.enabled }}
- apiGroups:
    - ""
  resources:
    - events
  verbs:
    - create
    - patch
- apiGroups:
    - ""
  resources:
    - persistentvolumeclaims
  verbs:
    - get
    - list
    - patch
    - watch
- apiGroups:
    - ""
  resources:
    - persistentvolumeclaims/status
  verbs:
    - patch
{{- end }}
{{- if or $.Values.capabilities.nfs.enabled (and $.Values.capabilities.nfs.enabled $.Values.capabilities.nfs.controller.snapshots.controller) }}
- apiGroups:
    - snapshot.storage.k8s.io
  resources:
    - volumesnapshots
  verbs:
{{- if $.Values.capabilities.nfs.enabled }}
    - get
{{- end }}
{{- if $.Values.capabilities.nfs.enabled }}
    - list
{{- end }}
{{- if $.Values.capabilities.nfs.enabled }}
    - patch
{{- end }}
{{- if and $.Values.capabilities.nfs.enabled $.Values.capabilities.nfs.controller.snapshots.controller }}
    - watch
{{- end }}
{{- end }}
{{- if and $.Values.capabilities.nfs.enabled $.Values.capabilities.nfs.controller.snapshots.controller }}
- apiGroups:
    - snapshot.storage.k8s.io
  resources:
    - volumesnapshots/status
  verbs:
    - patch
    - update
{{- end }}
{{- if and $.Values.capabilities.nfs.enabled $.Values.capabilities.nfs.controller.modifyVolumes }}
- apiGroups:
    - storage.k8s.io
  resources:
    - volumeattributesclasses
  verbs:
    - get
    - list
    - watch
{{- end }}
{{- end -}}
