import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type ScaledObject, scaledObjectSpec } from '../kinds/scaled-object.ts'
import { Companions } from './companions.ts'

const kind = { group: 'apps', version: 'v1', kind: 'Deployment', resource: 'deployments' }

function member(name: string): ScaledObject {
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name, namespace: 'shop', uid: name, annotations: { 'ballast.dev/one-awake': 'gpu' } },
    spec: scaledObjectSpec.parse({ scaleTargetRef: { name }, triggers: [{ type: 'cron', metadata: {} }] }),
    status: { scaleTargetGVKR: kind },
  }
}

/** Watches that know `objects` and nothing of their targets; a server that knows how many replicas each has. */
function site(objects: readonly ScaledObject[], replicas: Readonly<Record<string, number>>) {
  const informer = <T extends KubeObject>(known: readonly T[]) => ({
    isSynced: true,
    store: {
      get: (_namespace: string, name: string) => known.find(one => one.metadata.name === name),
      list: () => known,
    },
    onChange: (handler: (change: { type: string; object: T }) => void) => {
      for (const object of known) handler({ type: 'ADDED', object })
      return () => undefined
    },
  })
  const read = async (name: string) => ({ spec: { replicas: replicas[name] ?? 0 } })
  const watches = { deployments: informer([]), statefulSets: informer([]), pods: informer([]) }
  const around = { clock: new VirtualClock(0), log: silentLog, groups: [], wake: () => undefined }
  const api = { resource: () => ({ sub: read }) }
  return new Companions({ ...around, api, objects: informer(objects), autoscalers: informer([]), watches } as never)
}

const { signal } = new AbortController()

test('who wakes asks the server for the others: a watch may be behind', async () => {
  using companions = site(['a', 'b'].map(member), { b: 1 })
  using entrance = await companions.enter(member('a'), signal)
  expect(entrance?.turn).toEqual({ kind: 'waits', group: 'gpu', others: ['shop/b'] })
  expect(await companions.enter({ ...member('c'), metadata: { name: 'c', namespace: 'shop' } }, signal)).toBeUndefined()
})

test('of a group one wakes at a time; one that gives up holds up nobody', async () => {
  using companions = site(['a', 'b', 'c'].map(member), {})
  const order: string[] = []
  const first = await companions.enter(member('a'), signal)
  const stop = new AbortController()
  const given = companions.enter(member('b'), stop.signal).catch(() => order.push('b gave up'))
  const last = companions.enter(member('c'), signal).then(entrance => {
    order.push('c is in')
    return entrance
  })
  stop.abort(new Error('no longer wanted'))
  await given
  order.push('a is done')
  first?.[Symbol.dispose]()
  using entrance = await last
  expect([order, entrance?.turn.kind]).toEqual([['b gave up', 'a is done', 'c is in'], 'free'])
})
