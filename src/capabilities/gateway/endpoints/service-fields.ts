// What is read of Services; slices are read by `replicaFields`.
export const serviceFields: readonly string[] = [
  'spec.ports',
  'spec.type',
  'spec.externalName',
  'spec.selector',
  'spec.clusterIP',
  'spec.clusterIPs',
  'spec.ipFamilies',
  'spec.internalTrafficPolicy',
]
