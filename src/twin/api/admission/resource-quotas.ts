// ResourceQuota at admission: a new object must fit beside what its namespace holds.
import type { KubeObject } from '#kube/objects/objects.ts'
import { forbidden } from '#kube/objects/status.ts'
import { addQuantities, canonicalText, compareQuantities, parseQuantity, type Quantity } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, itemsAt, textAt, valueAt } from '../../json-value.ts'
import { isInScope, type QuotaUsage, quotaUsed, usageOf } from '../../quota-usage.ts'
import type { ApiServer } from '../api-server.ts'
import type { ResourceType } from '../resource-type.ts'

/** @throws StatusError 403 where a quota of the namespace would be exceeded, or names what a container does not say. */
export function admitToQuotas(server: ApiServer, type: ResourceType, draft: Draft): void {
  const namespace = textAt(draft, 'metadata', 'namespace')
  if (namespace === undefined || type.key === 'resourcequotas') return
  const quotas = server.store.list('resourcequotas', namespace)
  if (quotas.length === 0) return
  const asked = usageOf(type.key, draft)
  for (const quota of quotas) {
    if (!isInScope(quota, type.key, draft)) continue
    const why = missingAmounts(quota, type, draft) ?? excess(server, quota, asked)
    if (why !== undefined)
      throw forbidden({ group: type.group, resource: type.plural }, textAt(draft, 'metadata', 'name') ?? '', why)
  }
}

/** A quota of compute wants every container to say what it asks for. */
function missingAmounts(quota: KubeObject, type: ResourceType, draft: Draft): string | undefined {
  if (type.key !== 'pods') return undefined
  const missing = new Map<string, string[]>()
  for (const name of Object.keys(fieldsAt(quota, 'spec', 'hard') ?? {}).toSorted()) {
    const [, list, resource] = /^(?:(requests|limits)\.)?(cpu|memory|ephemeral-storage)$/.exec(name) ?? []
    if (resource === undefined) continue
    for (const container of itemsAt(draft, 'spec', 'containers')) {
      if (valueAt(container, 'resources', list ?? 'requests', resource) !== undefined) continue
      missing.set(name, [...(missing.get(name) ?? []), textAt(container, 'name') ?? ''])
    }
  }
  if (missing.size === 0) return undefined
  const parts = [...missing].map(([name, containers]) => `${name} for: ${containers.join(',')}`)
  return `failed quota: ${quota.metadata.name}: must specify ${parts.join('; ')}`
}

function excess(server: ApiServer, quota: KubeObject, asked: QuotaUsage): string | undefined {
  const hard = fieldsAt(quota, 'spec', 'hard') ?? {}
  const counted = Object.keys(hard)
    .filter(name => asked.has(name))
    .toSorted()
  if (counted.length === 0) return undefined
  const used = quotaUsed(quota, resource => server.store.list(resource, quota.metadata.namespace))
  const over = counted.filter(name => {
    const most = parseQuantity(String(hard[name]))
    const more = asked.get(name)
    const before = used.get(name)
    return (
      most.ok &&
      more !== undefined &&
      before !== undefined &&
      more.nanos > 0n &&
      compareQuantities(addQuantities(before, more), most.value) > 0
    )
  })
  if (over.length === 0) return undefined
  const text = (amounts: (name: string) => Quantity | undefined) => over.map(name => `${name}=${textOf(amounts(name))}`).join(',')
  const limited = over.map(name => `${name}=${String(hard[name])}`).join(',')
  const words = [`requested: ${text(name => asked.get(name))}`, `used: ${text(name => used.get(name))}`, `limited: ${limited}`]
  return `exceeded quota: ${quota.metadata.name}, ${words.join(', ')}`
}

function textOf(amount: Quantity | undefined): string {
  return amount === undefined ? '0' : canonicalText(amount)
}
