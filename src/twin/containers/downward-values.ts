// What a container is told of its own pod, and the variables that it starts with.
import type { KubeObject } from '#kube/objects/objects.ts'
import { parseMilli } from '#kube/values/quantity.ts'
import { fieldsAt, itemsAt, textAt, textsAt } from '../json-value.ts'
import { specOf } from './asked-container.ts'
import { dataOf, hostnameOf, type Lookup } from './pod-data.ts'

/** The value of a `fieldRef` or `resourceFieldRef`; undefined for a field that the pod does not have. */
export function downwardValue(source: Readonly<Record<string, unknown>>, pod: KubeObject, container: string): string | undefined {
  const path = textAt(source, 'fieldRef', 'fieldPath')
  if (path !== undefined) return fieldValue(pod, path)
  const resource = textAt(source, 'resourceFieldRef', 'resource')
  if (resource === undefined) return undefined
  const [list = '', ...name] = resource.split('.')
  const owner = specOf(pod, textAt(source, 'resourceFieldRef', 'containerName') ?? container)
  const amount = textAt(owner, 'resources', list, name.join('.'))
  if (amount === undefined) return '0'
  const divisor = parseMilli(textAt(source, 'resourceFieldRef', 'divisor') || '1')
  return String(Math.ceil(parseMilli(amount) / (divisor > 0 ? divisor : 1000)))
}

function fieldValue(pod: KubeObject, path: string): string | undefined {
  const [, list, key] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path) ?? []
  if (list !== undefined && key !== undefined) return textsAt(pod, 'metadata', list)[key]
  if (path === 'metadata.labels' || path === 'metadata.annotations') {
    const pairs = Object.entries(textsAt(pod, ...path.split('.'))).sort(([one], [other]) => (one < other ? -1 : 1))
    return pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join('\n')
  }
  return textAt(pod, ...path.split('.'))
}

/** The container's environment, as its runtime and its pod set it. What is named and not there is left out. */
export function environmentOf(pod: KubeObject, container: string, lookup: Lookup): Map<string, string> {
  const found = new Map([
    ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    ['HOSTNAME', hostnameOf(pod)],
    ['KUBERNETES_SERVICE_HOST', '10.96.0.1'],
    ['KUBERNETES_SERVICE_PORT', '443'],
    ['HOME', '/root'],
  ])
  const spec = specOf(pod, container)
  for (const from of itemsAt(spec, 'envFrom')) {
    const isSecret = fieldsAt(from, 'secretRef') !== undefined
    const name = textAt(from, isSecret ? 'secretRef' : 'configMapRef', 'name') ?? ''
    for (const [key, value] of dataOf(lookup(isSecret ? 'secrets' : 'configmaps', name), isSecret))
      found.set(`${textAt(from, 'prefix') ?? ''}${key}`, value.toString())
  }
  for (const variable of itemsAt(spec, 'env')) {
    const value = textAt(variable, 'value') ?? referredValue(fieldsAt(variable, 'valueFrom') ?? {}, pod, container, lookup)
    const expanded = value?.replaceAll(/\$\$|\$\(([A-Za-z0-9_.-]+)\)/g, (whole, name?: string) =>
      name === undefined ? '$' : (found.get(name) ?? whole),
    )
    if (expanded !== undefined) found.set(textAt(variable, 'name') ?? '', expanded)
    else if (fieldsAt(variable, 'valueFrom') === undefined) found.set(textAt(variable, 'name') ?? '', '')
  }
  return found
}

function referredValue(
  source: Readonly<Record<string, unknown>>,
  pod: KubeObject,
  container: string,
  lookup: Lookup,
): string | undefined {
  for (const [field, resource] of [
    ['configMapKeyRef', 'configmaps'],
    ['secretKeyRef', 'secrets'],
  ] as const) {
    const name = textAt(source, field, 'name')
    if (name !== undefined)
      return dataOf(lookup(resource, name), resource === 'secrets')
        .get(textAt(source, field, 'key') ?? '')
        ?.toString()
  }
  return downwardValue(source, pod, container)
}
