// Where kinds have the pods that they make.
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt } from '../json-value.ts'

const templatePaths: Readonly<Record<string, readonly string[]>> = {
  podtemplates: ['template'],
  replicationcontrollers: ['spec', 'template'],
  'deployments.apps': ['spec', 'template'],
  'replicasets.apps': ['spec', 'template'],
  'statefulsets.apps': ['spec', 'template'],
  'daemonsets.apps': ['spec', 'template'],
  'jobs.batch': ['spec', 'template'],
  'cronjobs.batch': ['spec', 'jobTemplate', 'spec', 'template'],
}

/** The spec of a pod, or of the pods that an object makes. */
export function podSpecOf(key: string, object: Draft | KubeObject): Draft | undefined {
  if (key === 'pods') return fieldsAt(object, 'spec')
  const path = templatePaths[key]
  return path === undefined ? undefined : fieldsAt(object, ...path, 'spec')
}
