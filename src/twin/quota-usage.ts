// What a ResourceQuota counts: how much of each of its names an object uses, and whether its scopes take the object in.
import type { KubeObject } from '#kube/objects/objects.ts'
import { addQuantities, compareQuantities, parseQuantity, type Quantity, wholeQuantity } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, itemsAt, listAt, textAt, valueAt } from './json-value.ts'

export type QuotaUsage = ReadonlyMap<string, Quantity>

const one = wholeQuantity(1)
const zero = wholeQuantity(0)

/** Kinds that have a name of their own in quotas, older than `count/…`. */
const plainNames = new Set([
  'configmaps',
  'secrets',
  'services',
  'replicationcontrollers',
  'resourcequotas',
  'persistentvolumeclaims',
])
/** Names of requests that quotas know without the word `requests` too. */
const shortNames = new Set(['cpu', 'memory', 'ephemeral-storage'])

/** What one object counts. `resource` is plural with group: `deployments.apps`. */
export function usageOf(resource: string, object: Draft | KubeObject): QuotaUsage {
  const usage = new Map<string, Quantity>([[`count/${resource}`, one]])
  if (plainNames.has(resource)) usage.set(resource, one)
  switch (resource) {
    case 'pods':
      for (const [name, amount] of podUsage(object)) usage.set(name, amount)
      break
    case 'persistentvolumeclaims':
      for (const [name, amount] of claimUsage(object)) usage.set(name, amount)
      break
    case 'services':
      for (const [name, amount] of serviceUsage(object)) usage.set(name, amount)
      break
    default:
  }
  return usage
}

/** The resource whose objects a quota's name counts; undefined where nothing here does. */
export function countedResource(name: string): string {
  if (name.startsWith('count/')) return name.slice('count/'.length)
  if (plainNames.has(name)) return name
  if (name === 'requests.storage' || name.includes('.storageclass.storage.k8s.io/')) return 'persistentvolumeclaims'
  return name.startsWith('services.') ? 'services' : 'pods'
}

/** The sum of two usages. */
function addUsage(left: QuotaUsage, right: QuotaUsage): QuotaUsage {
  const sum = new Map(left)
  for (const [name, amount] of right) sum.set(name, addQuantities(sum.get(name) ?? zero, amount))
  return sum
}

function podUsage(pod: Draft | KubeObject): QuotaUsage {
  const usage = new Map<string, Quantity>()
  const phase = textAt(pod, 'status', 'phase')
  if (phase === 'Succeeded' || phase === 'Failed') return usage
  usage.set('pods', one)
  for (const [name, amount] of podSum(pod, 'requests')) {
    usage.set(`requests.${name}`, amount)
    if (shortNames.has(name) || name.startsWith('hugepages-')) usage.set(name, amount)
  }
  for (const [name, amount] of podSum(pod, 'limits')) if (shortNames.has(name)) usage.set(`limits.${name}`, amount)
  return usage
}

/** Containers and sidecars together, or the dearest step of starting up, plus overhead. */
function podSum(pod: Draft | KubeObject, list: 'requests' | 'limits'): QuotaUsage {
  let together: QuotaUsage = new Map()
  for (const container of itemsAt(pod, 'spec', 'containers')) together = addUsage(together, amountsOf(container, list))
  let sidecars: QuotaUsage = new Map()
  let dearest: QuotaUsage = new Map()
  for (const container of itemsAt(pod, 'spec', 'initContainers')) {
    const amounts = amountsOf(container, list)
    if (container['restartPolicy'] === 'Always') sidecars = addUsage(sidecars, amounts)
    else dearest = larger(dearest, addUsage(sidecars, amounts))
  }
  const overhead = quantitiesOf(fieldsAt(pod, 'spec', 'overhead'))
  const sum = addUsage(larger(addUsage(together, sidecars), dearest), overhead)
  const wholePod = quantitiesOf(fieldsAt(pod, 'spec', 'resources', list))
  return new Map([...sum, ...addUsage(wholePod, wholePod.size === 0 ? new Map() : overhead)])
}

function amountsOf(container: Draft, list: 'requests' | 'limits'): QuotaUsage {
  return quantitiesOf(fieldsAt(container, 'resources', list))
}

function quantitiesOf(fields: Draft | undefined): QuotaUsage {
  const amounts = new Map<string, Quantity>()
  for (const [name, value] of Object.entries(fields ?? {})) {
    const parsed = parseQuantity(String(value))
    if (parsed.ok) amounts.set(name, parsed.value)
  }
  return amounts
}

function larger(left: QuotaUsage, right: QuotaUsage): QuotaUsage {
  const most = new Map(left)
  for (const [name, amount] of right) {
    const before = most.get(name)
    if (before === undefined || compareQuantities(amount, before) > 0) most.set(name, amount)
  }
  return most
}

function claimUsage(claim: Draft | KubeObject): QuotaUsage {
  const size = quantitiesOf(fieldsAt(claim, 'spec', 'resources', 'requests')).get('storage')
  const storageClass = textAt(claim, 'spec', 'storageClassName') ?? ''
  const prefixes = ['', ...(storageClass === '' ? [] : [`${storageClass}.storageclass.storage.k8s.io/`])]
  return new Map(
    prefixes.flatMap(prefix => [
      [`${prefix}persistentvolumeclaims`, one] as const,
      ...(size === undefined ? [] : [[`${prefix}requests.storage`, size] as const]),
    ]),
  )
}

function serviceUsage(service: Draft | KubeObject): QuotaUsage {
  const type = textAt(service, 'spec', 'type')
  const ports = wholeQuantity(listAt(service, 'spec', 'ports').length)
  return new Map([
    ['services.loadbalancers', type === 'LoadBalancer' ? one : zero],
    ['services.nodeports', type === 'NodePort' || type === 'LoadBalancer' ? ports : zero],
  ])
}

/** Whether the quota's scopes take the object in. Scopes are about pods alone. */
export function isInScope(quota: KubeObject, resource: string, object: Draft | KubeObject): boolean {
  const scopes = listAt(quota, 'spec', 'scopes').map(scope => ({
    name: String(scope),
    operator: 'Exists',
    values: [] as unknown[],
  }))
  const selected = itemsAt(quota, 'spec', 'scopeSelector', 'matchExpressions').map(expression => ({
    name: textAt(expression, 'scopeName') ?? '',
    operator: textAt(expression, 'operator') ?? 'Exists',
    values: [...listAt(expression, 'values')],
  }))
  const all = [...scopes, ...selected]
  return all.length === 0 || (resource === 'pods' && all.every(scope => isScopeMet(scope, object)))
}

function isScopeMet(
  scope: { readonly name: string; readonly operator: string; readonly values: readonly unknown[] },
  pod: Draft | KubeObject,
): boolean {
  const isTerminating = valueAt(pod, 'spec', 'activeDeadlineSeconds') !== undefined
  const isBestEffort = podSum(pod, 'requests').size === 0 && podSum(pod, 'limits').size === 0
  switch (scope.name) {
    case 'Terminating':
      return isTerminating
    case 'NotTerminating':
      return !isTerminating
    case 'BestEffort':
      return isBestEffort
    case 'NotBestEffort':
      return !isBestEffort
    case 'PriorityClass': {
      const name = textAt(pod, 'spec', 'priorityClassName')
      if (scope.operator === 'Exists') return name !== undefined
      if (scope.operator === 'DoesNotExist') return name === undefined
      return scope.values.includes(name) === (scope.operator === 'In')
    }
    default:
      return false
  }
}

/** What the objects of a namespace use of each name of the quota's `spec.hard`. */
export function quotaUsed(quota: KubeObject, list: (resource: string) => readonly KubeObject[]): QuotaUsage {
  const names = Object.keys(fieldsAt(quota, 'spec', 'hard') ?? {})
  let sum: QuotaUsage = new Map(names.map(name => [name, zero]))
  for (const resource of new Set(names.map(countedResource))) {
    for (const object of list(resource)) if (isInScope(quota, resource, object)) sum = addUsage(sum, usageOf(resource, object))
  }
  return new Map(names.map(name => [name, sum.get(name) ?? zero]))
}
