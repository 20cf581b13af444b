// Fields of objects whose shape nobody has checked: each is read by its path, and is undefined where it is not what was asked for.
import type { KubeObject } from './objects.ts'

/** `Deployment kube-system/reloader`, `CustomResourceDefinition scaledobjects.keda.sh`. */
export function shown({ kind, metadata }: KubeObject): string {
  return metadata.namespace === undefined ? `${kind} ${metadata.name}` : `${kind} ${metadata.namespace}/${metadata.name}`
}

/** The value at a path of names; `undefined` where anything on the way is no map. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce((inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined), value)
}

export const textAt = (value: unknown, ...path: readonly string[]): string | undefined => {
  const found = at(value, ...path)
  return typeof found === 'string' ? found : undefined
}

export const numberAt = (value: unknown, ...path: readonly string[]): number | undefined => {
  const found = at(value, ...path)
  return typeof found === 'number' ? found : undefined
}

export const listAt = (value: unknown, ...path: readonly string[]): readonly unknown[] => {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}

/** The pod template of a workload, also of a CronJob. */
export function templateOf(workload: KubeObject): unknown {
  return at(workload, 'spec', 'jobTemplate', 'spec', 'template') ?? at(workload, 'spec', 'template')
}

export function imagesOf(workload: KubeObject): readonly string[] {
  const containers = ['containers', 'initContainers'].flatMap(key => listAt(templateOf(workload), 'spec', key))
  return containers.flatMap(container => textAt(container, 'image') ?? [])
}

/** Is it to have pods? A CronJob counts while it is not suspended. */
export function isWanted(workload: KubeObject): boolean {
  if (workload.kind === 'CronJob') return at(workload, 'spec', 'suspend') !== true
  return workload.kind === 'DaemonSet' || (numberAt(workload, 'spec', 'replicas') ?? 1) > 0
}
