// What becomes of a reload in each mode: what holds it, what goes along, what is only noted; and what it does to others.
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Intent } from './intent.ts'
import { type ArbitrationMode, arbitrationModes } from './policy/arbiter-policy.ts'
import { Site, words } from './testdata/arbiter-site.ts'
import { reloadOf, web, webTarget } from './testdata/fleet.ts'

const { signal } = new AbortController()

/** `web-0` with what else is there, and a reload that is judged in `mode`. */
function site(mode: ArbitrationMode, objects: readonly KubeObject[] = web(0)): Site {
  const made = new Site()
  made.pods = objects
  const { policy } = made
  made.policy = {
    ...policy,
    modes: { reload: mode, rightsize: 'coordinate' },
    caps: { ...policy.caps, concurrent: 1, perNamespace: 1, perHour: 1 },
  }
  return made
}

const own = (labels: Readonly<Record<string, string>>) =>
  web(0).map(object =>
    object.kind === 'ReplicaSet'
      ? object
      : { ...object, metadata: { ...object.metadata, labels: { ...object.metadata.labels, ...labels } } },
  )
const budget: KubeObject = {
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: 'web', namespace: 'shop', generation: 1 },
  spec: { minAvailable: 1, selector: { matchLabels: { app: 'web-0' } } },
  status: { observedGeneration: 1, expectedPods: 2, desiredHealthy: 1, currentHealthy: 1, disruptionsAllowed: 0 },
}
const [pod] = reloadOf(0).disrupts
if (pod === undefined) throw new Error('web-0 has a pod')
const byEviction: Partial<Intent> = { verb: 'evict', targets: [pod], idempotencyKey: 'by-eviction' }
const older = { ...webTarget(0), uid: 'uid-older' }
const cronJob = { apiVersion: 'batch/v1', kind: 'CronJob', namespace: 'shop', name: 'nightly', uid: 'uid-nightly' }

/** One at a time in `observe`, `coordinate`, `enforce`. */
// biome-ignore format: a table
const cases: readonly (readonly [string, readonly KubeObject[], Partial<Intent>, readonly [string, string, string]])[] = [
  ['nothing stands against it',                 web(0),                                                    {},                                ['granted', 'granted', 'granted']],
  ['of a revoked Secret (class 0)',             web(0),                                                    { class: 'safety' },               ['granted', 'granted', 'granted']],
  ['frozen',                                    web(0, { annotations: { 'ballast.dev/freeze': 'audit' } }), {},                               ['deny freeze', 'deny freeze', 'deny freeze']],
  ['frozen, of a revoked Secret',               web(0, { annotations: { 'ballast.dev/freeze': 'audit' } }), { class: 'safety' },              ['deny freeze', 'deny freeze', 'deny freeze']],
  ['at zero: its next start takes it along',    web(0, { replicas: 0 }),                                   {},                                ['no-op nothing-runs', 'no-op nothing-runs', 'no-op nothing-runs']],
  ['made anew meanwhile',                       web(0),                                                    { targets: [older], workload: older }, ['deny stale', 'deny stale', 'deny stale']],
  ['of a CronJob, which nobody watches',        web(0),                                                    { targets: [cronJob], workload: cronJob, disrupts: [] }, ['granted', 'granted', 'granted']],
  ['of what KEDA owns',                         own({ 'scaling.talos.io/managed-by': 'keda' }),            {},                                ['granted', 'granted', 'granted']],
  ['of what nobody may move',                   own({ 'scaling.talos.io/managed-by': 'none' }),            {},                                ['granted', 'granted', 'granted']],
  ['by eviction, and its budget lets none go',  [...web(0), budget],                                       byEviction,                        ['defer disruption-budget', 'defer disruption-budget', 'defer disruption-budget']],
  ['by rollout, whatever its budget says',      [...web(0), budget],                                       {},                                ['granted', 'granted', 'granted']],
  ['too late',                                  web(0),                                                    { deadlineMs: 1 },                 ['deny late', 'deny late', 'deny late']],
]

describe('a reload', () => {
  const rows = cases.flatMap(([name, objects, change, expected]) =>
    arbitrationModes.map((mode, at) => [name, mode, objects, change, expected[at] ?? ''] as const),
  )
  test.each(rows)('%s (%s)', async (_name, mode, objects, change, expected) => {
    const arbiter = await site(mode, objects).leader()
    expect(words(await arbiter.request(reloadOf(0, change), signal)).replace(/^granted .*/, 'granted')).toBe(expected)
  })
})

describe('while another rollout of the workload is out', () => {
  // biome-ignore format: a table
  test.each<[ArbitrationMode, string, string | undefined]>([
    ['observe',    'granted restart-web-0-1000002', 'lock'],
    ['coordinate', 'defer lock',                    undefined],
    ['enforce',    'defer lock',                    undefined],
  ])('a reload in %s: %s', async (mode, expected, wouldBe) => {
    const here = site(mode)
    const arbiter = await here.leader()
    await arbiter.request(reloadOf(0, { requester: 'rightsize', class: 'safety', idempotencyKey: 'size' }), signal)
    expect(words(await arbiter.request(reloadOf(0), signal))).toBe(expected)
    expect(here.server.permits.get('shop/restart-web-0-1000002')?.spec.grant?.wouldBe?.rule).toBe(wouldBe)
  })
})

describe('its restarts', () => {
  test.each(arbitrationModes)('of class 0 and 1 do not count against the caps of pods (%s)', async mode => {
    const here = site(
      mode,
      [0, 1, 2].flatMap(at => web(at)),
    )
    const arbiter = await here.leader()
    const replies = await arbiter.requestTogether([reloadOf(0), reloadOf(1, { class: 'safety' }), reloadOf(2)], signal)
    expect(replies.map(({ kind }) => kind)).toEqual(['granted', 'granted', 'granted'])
  })

  // biome-ignore format: a table
  test.each<[ArbitrationMode, readonly string[]]>([
    ['observe',    ['granted', '']],
    ['coordinate', ['granted', 'resize']],
  ])('take along what waits for the workload, in %s or not', async (mode, expected) => {
    const here = site(mode)
    const arbiter = await here.leader()
    const change = { resources: [{ container: 'main', requests: { cpu: '200m' } }] }
    const { mark: _, ...wish } = reloadOf(0, { requester: 'rightsize', verb: 'resize', purpose: 'resize', class: 'capacity', idempotencyKey: 'size', change })
    expect(words(await arbiter.request(wish, signal))).toBe('defer company')
    const reply = await arbiter.request(reloadOf(0), signal)
    const joined = reply.kind === 'granted' ? reply.permit.record.joined.map(({ verb }) => verb).join() : ''
    expect([reply.kind, joined]).toEqual(expected)
  })

  test.each(arbitrationModes)('defer the descheduling of their pods, which is planned (%s)', async mode => {
    const here = site(mode)
    const arbiter = await here.leader()
    const reply = await arbiter.request(reloadOf(0), signal)
    if (reply.kind !== 'granted') throw new Error('the reload was to be granted')
    const move = (key: string) => {
      const {
        mark: _,
        change: __,
        ...wish
      } = reloadOf(0, {
        requester: 'deschedule',
        verb: 'evict',
        purpose: 'move',
        class: 'balance',
        targets: [pod],
        idempotencyKey: key,
      })
      return {
        ...wish,
        batch: 'plan',
        proof: { snapshotHash: 'x', nodes: ['n1'] },
        deadlineMs: here.server.clock.now() + 86_400_000,
      }
    }
    // While it is out the move steers the new pod; afterwards the workload has been disturbed enough.
    expect(words(await arbiter.request(move('during'), signal))).toBe('coalesced')
    await arbiter.release(reply.permit.record, { ending: 'done', reason: 'patched' }, signal)
    expect(words(await arbiter.request(move('after'), signal))).toBe('defer cool-down')
  })
})
