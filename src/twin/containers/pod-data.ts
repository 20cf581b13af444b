// What a pod's containers read of their pod and of the objects beside it.
import type { KubeObject } from '#kube/objects/objects.ts'
import { fieldsAt, textAt, textsAt } from '../json-value.ts'

/** Gets an object of the pod's namespace. */
export type Lookup = (resource: 'configmaps' | 'secrets', name: string) => KubeObject | undefined

export function hostnameOf(pod: KubeObject): string {
  return (
    textAt(pod, 'spec', 'hostname') ??
    (fieldsAt(pod, 'spec')?.['hostNetwork'] === true ? (textAt(pod, 'spec', 'nodeName') ?? '') : pod.metadata.name)
  )
}

/** The keys of a ConfigMap or Secret with their bytes. */
export function dataOf(object: KubeObject | undefined, isSecret: boolean): ReadonlyMap<string, Buffer> {
  const texts = Object.entries(textsAt(object, 'data')).map(
    ([key, text]) => [key, Buffer.from(text, isSecret ? 'base64' : 'utf8')] as const,
  )
  const bytes = Object.entries(textsAt(object, 'binaryData')).map(([key, text]) => [key, Buffer.from(text, 'base64')] as const)
  return new Map([...texts, ...bytes])
}
