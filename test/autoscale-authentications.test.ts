// Who uses an authentication, and that KEDA's finalizer holds none back where KEDA is gone.
import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { TriggerAuthentication } from '../src/capabilities/autoscale/kinds/trigger-authentication.ts'
import { clusterTriggerAuthentications, scaledObjects, triggerAuthentications } from '../src/capabilities/autoscale/names.ts'
import { scaledJob } from './autoscale-lives.ts'
import { AutoscaleSite, hourly, scaled } from './autoscale-site.ts'

const authentication = (kind: string, name: string, metadata: Partial<KubeObject['metadata']> = {}): KubeObject => ({
  apiVersion: 'keda.sh/v1alpha1',
  kind,
  metadata: { name, ...(kind === 'TriggerAuthentication' ? { namespace: 'default' } : {}), ...metadata },
  spec: { secretTargetRef: [{ parameter: 'password', name: 'queue', key: 'password' }] },
})

const using = (...refs: readonly { readonly name: string; readonly kind?: 'ClusterTriggerAuthentication' }[]) =>
  refs.map((authenticationRef, index) => ({ ...hourly(`${index} * * * *`, '50 * * * *', 1), authenticationRef }))

test('its status says who uses it, as objects come, change and go', async () => {
  await using site = await AutoscaleSite.start(0)
  await site.operator({ isServed: false })
  const users = async (resource: typeof triggerAuthentications, name: string) => {
    const namespace = resource === triggerAuthentications ? 'default' : undefined
    const { status } = await site.api.resource<TriggerAuthentication>(resource).get(name, { namespace, signal: site.signal })
    return [status?.scaledobjects, status?.scaledjobs]
  }
  await site.create(triggerAuthentications, authentication('TriggerAuthentication', 'queue'))
  await site.create(clusterTriggerAuthentications, authentication('ClusterTriggerAuthentication', 'queue'))
  await site.create(scaledObjects, scaled('web', { triggers: using({ name: 'queue' }) }))
  await site.create(
    scaledObjects,
    scaled('api', { triggers: using({ name: 'queue' }, { name: 'queue', kind: 'ClusterTriggerAuthentication' }) }),
  )
  await site.create({ ...scaledObjects, resource: 'scaledjobs' }, scaledJob({ triggers: using({ name: 'queue' }) }))
  await site.clock.advance(10_000)
  expect(await users(triggerAuthentications, 'queue')).toEqual(['web,api', 'work'])
  expect(await users(clusterTriggerAuthentications, 'queue')).toEqual(['api', undefined])
  const other = { spec: { triggers: using({ name: 'other' }) } }
  await site.api
    .resource(scaledObjects)
    .patch('api', { type: 'merge', body: other }, { namespace: 'default', signal: site.signal })
  await site.api.resource(scaledObjects).delete('web', { namespace: 'default', signal: site.signal })
  await site.clock.advance(10_000)
  expect(await users(triggerAuthentications, 'queue')).toEqual([undefined, 'work'])
  expect(await users(clusterTriggerAuthentications, 'queue')).toEqual([undefined, undefined])
})

test('one that goes is let go, and what became of it is told in the words that users know', async () => {
  await using site = await AutoscaleSite.start(0)
  await site.operator({ isServed: false })
  await site.clock.advance(1_000)
  const held = authentication('TriggerAuthentication', 'queue', { finalizers: ['finalizer.keda.sh'] })
  await site.create(triggerAuthentications, held)
  await site.clock.advance(10_000)
  const spec = { spec: { env: [{ parameter: 'user', name: 'USER' }] } }
  await site.api
    .resource(triggerAuthentications)
    .patch('queue', { type: 'merge', body: spec }, { namespace: 'default', signal: site.signal })
  await site.clock.advance(10_000)
  await site.api.resource(triggerAuthentications).delete('queue', { namespace: 'default', signal: site.signal })
  await site.clock.advance(10_000)
  const gone = await site.get(triggerAuthentications, 'queue').catch((error: unknown) => error)
  expect(isNotFound(gone)).toBe(true)
  expect(site.events.map(({ reason }) => reason)).toEqual([
    'TriggerAuthenticationAdded',
    'ClusterTriggerAuthenticationUpdated',
    'TriggerAuthenticationDeleted',
  ])
})
