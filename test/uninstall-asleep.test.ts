// What our autoscaler put to sleep is woken when Ballast goes, by the API server's own record of who set it to zero; killed before and after each
// write of the removal, and run again.
import { expect, test } from 'vitest'
import { autoscale } from '#capabilities/autoscale'
import { openApi } from '#kube/client/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { testWorkload } from '#twin/components/cluster-for-tests.ts'
import { scaledObjects } from '../src/capabilities/autoscale/names.ts'
import { remove } from '../src/deployment/removal/removal.ts'
import type { RemovalOptions } from '../src/deployment/removal/removal-run.ts'
import { AutoscaleSite, CutWire, type EndAt, hourly, scaled } from './autoscale-site.ts'

const soonMs = 120_000
const quiet = { triggers: [hourly('0 0 1 1 *', '1 0 1 1 *', 2)], minReplicaCount: 0, cooldownPeriod: 0 }
const group = { annotations: { 'ballast.dev/one-awake': 'gpu' } }
const restored = { advanced: { restoreToOriginalReplicaCount: true } }

/** Sleepers of each sort, put to sleep by our operator, which has ended. */
async function sleeping(): Promise<AutoscaleSite> {
  const site = await AutoscaleSite.start(
    3,
    ['paused', 'picture', 'speech', 'users', 'worker'].map(name => testWorkload('Deployment', name, { replicas: 2 })),
  )
  for (const object of [
    scaled('web', { ...quiet, ...restored }),
    scaled('paused', quiet),
    scaled('picture', quiet, group),
    scaled('speech', quiet, group),
    scaled('worker', { ...quiet, minReplicaCount: 2, idleReplicaCount: 0 }),
    scaled('absent', quiet),
  ])
    await site.create(scaledObjects, object)
  {
    await using _operator = await site.operator({ isServed: false })
    await site.clock.advance(soonMs)
  }
  const merged = (body: unknown) => ({ type: 'merge', body }) as const
  const { signal } = site
  const pause = { metadata: { annotations: { 'autoscaling.keda.sh/paused': 'true' } } }
  await site.api.resource(scaledObjects).patch('paused', merged(pause), { namespace: 'default', signal })
  // Its user has set it to zero, and its ScaledObject came later.
  await site.api
    .resource(builtIn.deployments)
    .patch('users', merged({ spec: { replicas: 0 } }), { namespace: 'default', signal, fieldManager: 'kubectl-patch' })
  await site.create(scaledObjects, scaled('users', quiet))
  return site
}

const names = ['paused', 'picture', 'speech', 'users', 'web', 'worker']

async function replicas(site: AutoscaleSite): Promise<Readonly<Record<string, unknown>>> {
  const found = await Promise.all(
    names.map(async name => [
      name,
      (await site.get<KubeObject & { spec: { replicas: number } }>(builtIn.deployments, name)).spec.replicas,
    ]),
  )
  return Object.fromEntries(found)
}

async function uninstall(
  site: AutoscaleSite,
  { end, ...choice }: Partial<Pick<RemovalOptions, 'keep' | 'dryRun'>> & { readonly end?: EndAt } = {},
) {
  const { clock } = site
  const wire = new CutWire(site.twin.transport({ admin: true }), end)
  const killed = new AbortController()
  const api = openApi(wire, { clock, userAgent: 'test' })
  try {
    let isOver = false
    const removal = remove({
      ...{ api, clock, signal: killed.signal, capabilities: [autoscale], namespace: 'ballast-system', release: 'ballast' },
      ...{ keep: new Set(['crds'] as const), dryRun: false, ...choice },
    }).finally(() => {
      isOver = true
    })
    removal.catch(() => undefined) // awaited below, unless it was killed
    await clock.runUntil(() => isOver || wire.hasEnded, { limitMs: 600_000 })
    if (!wire.hasEnded) return { ...(await removal), writes: wire.writes }
    killed.abort(new Error('killed'))
    await expect(removal).rejects.toThrow('killed')
    return undefined
  } finally {
    await api.close()
  }
}

const isWoken = /^wake /
const woken = [
  'wake Deployment default/picture from 0 to 1 replica: ScaledObject default/picture holds it at zero, and nobody would wake it any more',
  'wake Deployment default/web from 0 to 3 replicas: ScaledObject default/web holds it at zero, and nobody would wake it any more',
  'wake Deployment default/worker from 0 to 2 replicas: ScaledObject default/worker holds it at zero, and nobody would wake it any more',
]
const asleep = { paused: 0, picture: 0, speech: 0, users: 0, web: 0, worker: 0 }
const awake = { ...asleep, picture: 1, web: 3, worker: 2 }

test('each is woken or named, with its reason', async () => {
  await using site = await sleeping()
  expect(await replicas(site)).toEqual(asleep)
  const told = {
    left: ['Deployment default/speech at zero replicas: of its group gpu one is awake at a time, and default/picture is'],
    stays: [
      'Deployment default/paused at zero replicas: ScaledObject default/paused is paused',
      'Deployment default/users at zero replicas: kubectl-patch set it to zero, not an autoscaler',
    ],
  }
  const planned = await uninstall(site, { dryRun: true })
  expect(planned?.done.filter(line => isWoken.test(line))).toEqual(woken)
  expect(planned).toMatchObject({ ...told, writes: [] })
  const kept = await uninstall(site, { keep: new Set(['asleep', 'crds', 'labels', 'objects']), dryRun: true })
  expect([kept?.done.filter(line => isWoken.test(line)), kept?.left, kept?.stays]).toEqual([[], [], []])
  const done = await uninstall(site)
  expect(done?.done.filter(line => isWoken.test(line))).toEqual(woken)
  expect(done).toMatchObject(told)
  await site.clock.advance(soonMs)
  expect(await replicas(site)).toEqual(awake)
  const again = await uninstall(site)
  expect([again?.done, again?.stays.length]).toEqual([[], 2])
})

test('killed before and after each write and run again, it ends the same', async () => {
  const writes = await (async () => {
    await using site = await sleeping()
    return (await uninstall(site))?.writes ?? []
  })()
  expect(writes.filter(one => one.endsWith('/scale')).length).toBe(3)
  for (const write of writes.flatMap((one, at) => (one.endsWith('/scale') ? [at + 1] : [])))
    for (const moment of ['before', 'after'] as const) {
      await using site = await sleeping()
      await uninstall(site, { end: { write, moment } })
      await uninstall(site)
      await site.clock.advance(soonMs)
      expect([write, moment, await replicas(site)]).toEqual([write, moment, awake])
    }
})
