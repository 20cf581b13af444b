// ResourceQuota status: what the namespace uses of what it may, kept current as objects come and go.
import type { KubeObject } from '#kube/objects/objects.ts'
import { canonicalText } from '#kube/values/quantity.ts'
import { fieldsAt, isSame } from '../../json-value.ts'
import { countedResource, quotaUsed } from '../../quota-usage.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import { keyOf, splitKey } from '../workloads/pod-state.ts'
import { watchEverything } from './every-resource.ts'

const writer = controllerWriter('resourcequota-controller')
const quotas = 'resourcequotas'

export function startResourceQuotas(context: ComponentContext): void {
  const { access, loop } = context
  const queue = loop.queue('resourcequota', key => {
    const { namespace, name } = splitKey(key)
    const quota = access.get(quotas, namespace, name)
    if (quota !== undefined && quota.metadata.deletionTimestamp === undefined) sync(context, quota)
  })
  watchEverything(context, 'resourcequota', (resource, { type, object, previous }) => {
    if (resource === quotas) {
      if (type === 'DELETED') queue.remove(keyOf(object))
      else if (!isSame(object['spec'], previous?.['spec'])) queue.add(keyOf(object))
    }
    const { namespace } = object.metadata
    if (namespace === undefined || (type === 'MODIFIED' && !changesUsage(resource, object, previous))) return
    for (const quota of access.list(quotas, namespace)) {
      if (Object.keys(hardOf(quota)).some(name => countedResource(name) === resource)) queue.add(keyOf(quota))
    }
  })
}

/** Most updates change nothing that is counted. */
function changesUsage(resource: string, object: KubeObject, previous: KubeObject | undefined): boolean {
  if (resource !== 'pods' && resource !== 'services' && resource !== 'persistentvolumeclaims') return false
  return (
    !isSame(object['spec'], previous?.['spec']) ||
    fieldsAt(object, 'status')?.['phase'] !== fieldsAt(previous, 'status')?.['phase']
  )
}

function sync({ access }: ComponentContext, quota: KubeObject): void {
  const { namespace } = quota.metadata
  const used = quotaUsed(quota, resource => (access.resources().includes(resource) ? access.list(resource, namespace) : []))
  const status = {
    hard: hardOf(quota),
    used: Object.fromEntries([...used].map(([name, amount]) => [name, canonicalText(amount)])),
  }
  if (!isSame(quota['status'], status)) access.update(quotas, { ...quota, status }, writer, { subresource: 'status' })
}

function hardOf(quota: KubeObject): Readonly<Record<string, unknown>> {
  return fieldsAt(quota, 'spec', 'hard') ?? {}
}
