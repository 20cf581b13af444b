import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { AbsenceDoubtedError, type ObjectPlace } from '#kube/client/absence.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { resourcePath } from '#kube/objects/resource.ts'
import type { Target } from '../intent.ts'
import { type Answer, failure, grantedPermit, scripted } from '../testdata/scripted-api.ts'
import { evict } from './evict.ts'
import { dropGate, landingGate, openGate } from './gate.ts'
import { advertiseResources, labelNode } from './label-node.ts'
import { pauseRollout, resumeRollout } from './pause-rollout.ts'
import { prepareStart } from './prepare-start.ts'
import { createJob, replaceJob } from './replace-job.ts'
import { restart } from './restart.ts'
import { restartAt } from './restart-at.ts'
import { scale } from './scale.ts'
import { markNode, removeTaint, setTaint, unmarkNode } from './taint.ts'
import { tolerate } from './tolerate.ts'
import { triggerJob } from './trigger-job.ts'
import { uncordon } from './uncordon.ts'

const { signal } = new AbortController()
const pod: Target = { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'cart-a', uid: 'uid-a' }
const cart: Target = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'cart', uid: 'uid-cart' }
const n1: Target = { apiVersion: 'v1', kind: 'Node', name: 'n1' }
const ok = (body: object): Answer => ({ status: 200, body })
const taint = { key: 'ballast.dev/rebalance', value: 'p', effect: 'PreferNoSchedule' }
const gated: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'cart-a', namespace: 'shop', uid: 'uid-a' },
  spec: { containers: [{ name: 'main', image: 'cart' }], schedulingGates: [{ name: landingGate }] },
}
const node = ok({ kind: 'Node', metadata: { name: 'n1', uid: 'uid-n1', resourceVersion: '5' }, spec: { taints: [taint] } })
const bareNode = ok({ kind: 'Node', metadata: { name: 'n1', uid: 'uid-n1', resourceVersion: '5' }, spec: {} })
const cordon = { manager: 'outsider', atMs: Date.parse('2026-03-02T04:00:00Z') }
const signedBy = ({ manager, atMs }: typeof cordon) => [
  { manager, operation: 'Update', time: new Date(atMs).toISOString(), fieldsV1: { 'f:spec': { 'f:unschedulable': {} } } },
]
const cordonedNode = ok({
  kind: 'Node',
  metadata: { name: 'n1', uid: 'uid-n1', resourceVersion: '5', managedFields: signedBy(cordon) },
  spec: { unschedulable: true },
})
const workload = ok({ kind: 'Deployment', metadata: { name: 'cart', generation: 4 } })
const scaleOf = (replicas: number, resourceVersion = '9', uid = 'uid-cart'): Answer =>
  ok({ kind: 'Scale', metadata: { name: 'cart', namespace: 'shop', uid, resourceVersion }, spec: { replicas } })

const rollout: Target = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', namespace: 'shop', name: 'web', uid: 'uid-web' }
const cronJob: Target = { apiVersion: 'batch/v1', kind: 'CronJob', namespace: 'shop', name: 'nightly', uid: 'uid-nightly' }
const job: Target = { apiVersion: 'batch/v1', kind: 'Job', namespace: 'shop', name: 'import', uid: 'uid-import' }
const template = { spec: { containers: [{ name: 'main', image: 'web' }] } }
const rolloutObject = ok({
  kind: 'Rollout',
  metadata: { name: 'web', uid: 'uid-web', resourceVersion: '5', generation: 2 },
  spec: { template },
})
const cronJobObject = ok({
  kind: 'CronJob',
  metadata: { name: 'nightly', namespace: 'shop', uid: 'uid-nightly' },
  spec: { jobTemplate: { spec: { template } } },
})
const jobObject = ok({
  kind: 'Job',
  metadata: { name: 'import', namespace: 'shop', uid: 'uid-import', resourceVersion: '7' },
  spec: { template },
})
const manifest = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'import', namespace: 'shop' }, spec: { template } }
const deployment = (paused: boolean, annotations: object = {}) =>
  ok({
    kind: 'Deployment',
    metadata: { name: 'cart', namespace: 'shop', uid: 'uid-cart', resourceVersion: '6', annotations },
    spec: { paused },
  })
const pausedAt = 'deployment.reloader.stakater.com/paused-at'
const webPath = '/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/web'
const cartPath = '/apis/apps/v1/namespaces/shop/deployments/cart'
const jobsPath = '/apis/batch/v1/namespaces/shop/jobs'
const cronJobPath = '/apis/batch/v1/namespaces/shop/cronjobs/nightly'
const keep = async () => undefined

const scalePath = '/apis/apps/v1/namespaces/shop/deployments/cart/scale'
const patchPod = 'PATCH /api/v1/namespaces/shop/pods/cart-a'

/** Every effect with what it is answered, what pins it to the object that was meant, and the file it is in. */
// biome-ignore format: a table
const effects: readonly [string, string, Parameters<typeof scripted>[0], (server: ReturnType<typeof scripted>) => Promise<unknown>, RegExp][] = [
  ['evict',       'evict.ts',   { 'POST /api/v1/namespaces/shop/pods/cart-a/eviction': [ok({ kind: 'Status' })] }, s => evict(s.context, grantedPermit(s, { targets: [pod], verb: 'evict' }), pod, signal), /"preconditions":\{"uid":"uid-a"\}/],
  ['restart',     'restart.ts', { 'PATCH /apis/apps/v1/namespaces/shop/deployments/cart': [workload] },           s => restart(s.context, grantedPermit(s, { targets: [cart], verb: 'restart' }), cart, signal), /"metadata":\{"uid":"uid-cart"\}/],
  ['scale',       'scale.ts',   { [`GET ${scalePath}`]: [scaleOf(3)], [`PUT ${scalePath}`]: [scaleOf(0)] },      s => scale(s.context, grantedPermit(s, { targets: [cart], verb: 'scale', replicas: 0 }), cart, signal), /"uid":"uid-cart","resourceVersion":"9"/],
  ['tolerate',    'tolerate.ts', { 'PATCH /apis/apps/v1/namespaces/shop/deployments/cart': [workload] },         s => tolerate(s.context, grantedPermit(s, { targets: [cart], verb: 'restart' }), { workload: cart, tolerations: [] }, signal), /"uid":"uid-cart"/],
  ['restart of a Rollout', 'restart.ts', { [`GET ${webPath}`]: [rolloutObject], [`PATCH ${webPath}`]: [rolloutObject] }, s => restart(s.context, grantedPermit(s, { targets: [rollout], verb: 'restart' }), rollout, signal), /"uid":"uid-web","resourceVersion":"5"/],
  ['restartAt',   'restart-at.ts', { [`PATCH ${webPath}`]: [rolloutObject] },                                     s => restartAt(s.context, grantedPermit(s, { targets: [rollout], verb: 'restart' }), rollout, signal), /"uid":"uid-web"/],
  ['pauseRollout', 'pause-rollout.ts', { [`GET ${cartPath}`]: [deployment(false)], [`PATCH ${cartPath}`]: [deployment(true)] }, s => pauseRollout(s.context, grantedPermit(s, { targets: [cart], verb: 'restart' }), { deployment: cart, annotation: pausedAt, at: '2026-03-02T04:00:00Z' }, signal), /"uid":"uid-cart","resourceVersion":"6"/],
  ['resumeRollout', 'pause-rollout.ts', { [`GET ${cartPath}`]: [deployment(true, { [pausedAt]: 'x' })], [`PATCH ${cartPath}`]: [deployment(false)] }, s => resumeRollout(s.context, grantedPermit(s, { targets: [cart], verb: 'restart' }), { deployment: cart, annotation: pausedAt }, signal), /"uid":"uid-cart","resourceVersion":"6"/],
  ['triggerJob',  'trigger-job.ts', { [`GET ${cronJobPath}`]: [cronJobObject], [`POST ${jobsPath}`]: [jobObject] }, s => triggerJob(s.context, grantedPermit(s, { targets: [cronJob], verb: 'restart' }), cronJob, signal), /"name":"nightly","uid":"uid-nightly","controller":true/],
  ['prepareStart', 'prepare-start.ts', { [`PATCH ${cartPath}`]: [workload] },                                     s => prepareStart(s.context, { workload: cart, resourceVersion: '6', change: { annotations: { a: 'b' } }, requester: 'reload' }, signal), /"uid":"uid-cart","resourceVersion":"6"/],
  ['createJob',   'replace-job.ts', { [`POST ${jobsPath}`]: [jobObject] },                                        s => createJob(s.context, grantedPermit(s, { targets: [job], verb: 'restart' }), { job, manifest }, signal), /"name":"import"/],
  ['setTaint',    'taint.ts',   { 'GET /api/v1/nodes/n1': [bareNode], 'PATCH /api/v1/nodes/n1': [node] },         s => setTaint(s.context, grantedPermit(s, { targets: [n1], verb: 'taint' }), { node: 'n1', taint }, signal), /"resourceVersion":"5"/],
  ['removeTaint', 'taint.ts',   { 'GET /api/v1/nodes/n1': [node], 'PATCH /api/v1/nodes/n1': [bareNode] },         s => removeTaint(s.context, { node: 'n1', key: taint.key, requester: 'deschedule' }, signal), /"resourceVersion":"5"/],
  ['markNode',    'taint.ts',   { 'GET /api/v1/nodes/n1': [bareNode], 'PATCH /api/v1/nodes/n1': [node] },         s => markNode(s.context, grantedPermit(s, { targets: [n1], verb: 'taint' }), { node: 'n1', uid: 'uid-n1', marks: () => ({ add: [taint], remove: [], annotations: {} }) }, signal), /"resourceVersion":"5"/],
  ['unmarkNode',  'taint.ts',   { 'GET /api/v1/nodes/n1': [node], 'PATCH /api/v1/nodes/n1': [bareNode] },         s => unmarkNode(s.context, { node: 'n1', uid: 'uid-n1', requester: 'readiness', marks: () => ({ add: [], remove: [taint], annotations: {} }) }, signal), /"resourceVersion":"5"/],
  ['labelNode',   'label-node.ts', { 'PATCH /api/v1/nodes/n1': [node] },                                          s => labelNode(s.context, { node: 'n1', uid: 'uid-n1', requester: 'features', labels: { a: 'b' }, annotations: {} }, signal), /"uid":"uid-n1"/],
  ['advertiseResources', 'label-node.ts', { 'PATCH /api/v1/nodes/n1/status': [node] },                           s => advertiseResources(s.context, { node: 'n1', uid: 'uid-n1', requester: 'features', resources: { 'a.io/b': '1' } }, signal), /"uid":"uid-n1"/],
  ['uncordon',    'uncordon.ts', { 'GET /api/v1/nodes/n1': [cordonedNode], 'PATCH /api/v1/nodes/n1': [bareNode] }, s => uncordon(s.context, { node: 'n1', uid: 'uid-n1', cordon }, signal), /"uid":"uid-n1","resourceVersion":"5"/],
  ['openGate',    'gate.ts',    { [patchPod]: [ok(gated)] },                                                      s => openGate(s.context, grantedPermit(s, { targets: [pod], verb: 'evict' }), { pod: gated, node: 'n1' }, signal), /"op":"test","path":"\/metadata\/uid","value":"uid-a"/],
  ['dropGate',    'gate.ts',    { [patchPod]: [ok(gated)] },                                                      s => dropGate(s.context, { pod: gated, requester: 'deschedule' }, signal), /"op":"test","path":"\/metadata\/uid","value":"uid-a"/],
]

const replacing = {
  [`GET ${jobsPath}/import`]: [jobObject],
  [`POST ${jobsPath}`]: [jobObject],
  [`DELETE ${jobsPath}/import`]: [ok({ kind: 'Status' })],
}

describe('every effect', () => {
  test.each(effects)(
    '%s ends at the server after 4 s and names what it means',
    async (_name, _file, script, act, precondition) => {
      const server = scripted(script)
      await act(server)
      const writes = server.asked.filter(({ verb }) => verb !== 'GET')
      expect(writes).toHaveLength(1)
      for (const { query, priority, body } of writes) {
        expect(query?.['timeout']).toBe('4s')
        expect(priority).toBe('effect')
        expect(String(body)).toMatch(precondition)
      }
    },
  )

  test.each(effects)('%s is asked again as its bytes leave', async (_name, _file, script, act) => {
    const server = scripted(script)
    await act(server)
    server.leads = false
    for (const { verb, guard } of server.asked) {
      if (verb === 'GET') expect(guard).toBeUndefined()
      else expect(guard).toThrow('the lease is held by another')
    }
  })

  // What a server answers for it is what it says of a thing that it has mislaid, on each of the effect's requests in turn.
  const mislaying = effects.flatMap(([name, , script, act]) =>
    Object.keys(script)
      .filter(request => !request.endsWith('/jobs'))
      .map(request => ({ name, request, script: { ...script, [request]: [failure(404, 'NotFound', 'not found')] }, act })),
  )
  test.each(mislaying)(
    '$name does not believe 404 of $request while a watch has the object',
    async ({ script, act, request }) => {
      const server = scripted({ 'GET /api/v1/namespaces/shop/pods/cart-a': [ok(gated)], ...script })
      const asked: ObjectPlace[] = []
      server.api.witnessedBy(place => asked.push(place) > 0, signal)
      const outcome = act(server).catch((error: unknown) => error)
      let end: unknown
      outcome.then(value => (end = value))
      await server.clock.runUntil(() => end !== undefined, { limitMs: 600_000 })
      if (request.endsWith('/eviction')) expect(end).toMatchObject({ kind: 'not-done' })
      else expect(end).toBeInstanceOf(AbsenceDoubtedError)
      const [path = ''] = [asked[0]].map(place => place && resourcePath(place.resource, place))
      expect(request.endsWith(path) || request.includes(`${path}/`)).toBe(true)
    },
  )

  test.each(mislaying)('$name takes 404 of $request for gone where a watch loses the object then', async ({ script, act }) => {
    const server = scripted({ 'GET /api/v1/namespaces/shop/pods/cart-a': [failure(404, 'NotFound', 'not found')], ...script })
    let looks = 0
    server.api.witnessedBy(() => ++looks === 1, signal)
    const outcome = act(server)
    let end: unknown
    outcome.then(value => (end = value))
    await server.clock.runUntil(() => end !== undefined, { limitMs: 600_000 })
    expect(end).toMatchObject({ kind: expect.stringMatching(/^(already-)?gone$/) })
  })

  test('is in this table', () => {
    const withoutEffect = [
      ...['begun.ts', 'finished.ts', 'effect-context.ts', 'template-patch.ts', 'sift-passengers.ts', 'job-manifest.ts'],
      ...['foreseen.ts', 'eviction-request.ts', 'eviction-version.ts'],
      // What owners do with their own needs no permit: own-effects.test.ts.
      ...['scale-own.ts', 'own-jobs.ts', 'own-daemon-sets.ts'],
    ]
    const files = readdirSync(import.meta.dirname).filter(name => !name.endsWith('.test.ts') && !withoutEffect.includes(name))
    expect(files.toSorted()).toEqual([...new Set(effects.map(([, file]) => file))].toSorted())
  })

  test('replaceJob asks by a dry run, keeps the manifest, deletes what it means and creates it anew', async () => {
    const server = scripted(replacing)
    const kept: string[] = []
    const kind = { job, keep: async (one: { readonly metadata: { readonly name: string } }) => void kept.push(one.metadata.name) }
    expect(await replaceJob(server.context, grantedPermit(server, { targets: [job], verb: 'restart' }), kind, signal)).toEqual({
      kind: 'replaced',
    })
    const writes = server.asked.filter(({ verb }) => verb !== 'GET')
    expect(writes.map(({ verb, query }) => [verb, query?.['dryRun'], query?.['timeout']])).toEqual([
      ['POST', 'All', '4s'],
      ['DELETE', undefined, '4s'],
      ['POST', undefined, '4s'],
    ])
    expect(JSON.parse(String(writes[1]?.body))).toMatchObject({
      propagationPolicy: 'Background',
      preconditions: { uid: 'uid-import', resourceVersion: '7' },
    })
    expect([kept, JSON.parse(String(writes[2]?.body)).metadata.name]).toEqual([['import'], 'import'])
  })

  test('replaceJob does nothing when we lead no more', async () => {
    const server = scripted(replacing)
    server.leads = false
    const asked = replaceJob(server.context, grantedPermit(server, { targets: [job], verb: 'restart' }), { job, keep }, signal)
    await expect(asked).rejects.toThrow('the lease is held by another')
    expect(server.asked).toEqual([])
  })

  test.each(effects)('%s does nothing when we lead no more', async (_name, _file, script, act) => {
    const server = scripted(script)
    server.leads = false
    await expect(act(server)).rejects.toThrow('the lease is held by another')
    expect(server.asked).toEqual([])
  })
})

describe('an actor that comes too late', () => {
  const permitOn = (server: ReturnType<typeof scripted>) =>
    grantedPermit(server, { targets: [pod], verb: 'evict', workload: 'shop/Deployment/cart' })
  interface Book {
    readonly released?: number
    readonly laterEpoch?: number
  }

  /** The permit with a book that says what a test wants it to. */
  function inBook(server: ReturnType<typeof scripted>, book: Book) {
    const permit = permitOn(server)
    const own = { ...permit.record, releasedAtMs: book.released }
    const later = { ...permit.record, name: 'p-2', grant: { ...permit.record.grant, token: 9 }, epoch: book.laterEpoch ?? 0 }
    const ledger = { ...permit.ledger, byKey: () => [own], ofWorkload: () => [own, later] }
    return { ...permit, ledger }
  }

  test.each([
    [
      'its permit was given back',
      { released: 1_772_424_000_000 },
      'permit shop/p-1 (token 7) was released at 2026-03-02T04:00:00.000Z',
    ],
    [
      'a later leader granted on its workload',
      { laterEpoch: 3 },
      'permit shop/p-1 (token 7) was overtaken by p-2 of a later leader',
    ],
  ] satisfies [string, Book, string][])('is refused when %s', async (_name, book, expected) => {
    const server = scripted({})
    await expect(evict(server.context, inBook(server, book), pod, signal)).rejects.toThrow(expected)
    expect(server.asked).toEqual([])
  })

  test('is not one when the same leader granted more, where a mode without locks let it', async () => {
    const server = scripted({ 'POST /api/v1/namespaces/shop/pods/cart-a/eviction': [ok({ kind: 'Status' })] })
    expect(await evict(server.context, inBook(server, { laterEpoch: 0 }), pod, signal)).toEqual({ kind: 'evicted' })
  })
})

describe('a scale', () => {
  const ask = (server: ReturnType<typeof scripted>, replicas?: number) =>
    scale(
      server.context,
      grantedPermit(server, { targets: [cart], verb: 'scale', ...(replicas === undefined ? {} : { replicas }) }),
      cart,
      signal,
    )

  test.each<[string, readonly Answer[], readonly Answer[], number, object]>([
    ['up', [scaleOf(1)], [scaleOf(4)], 4, { kind: 'scaled', from: 1 }],
    ['to zero', [scaleOf(3)], [scaleOf(0)], 0, { kind: 'scaled', from: 3 }],
    ['to what it is', [scaleOf(3)], [], 3, { kind: 'unchanged' }],
    ['of another that has its name', [scaleOf(3, '9', 'uid-new')], [], 0, { kind: 'gone' }],
    ['of what is gone', [failure(404, 'NotFound', 'not found')], [], 0, { kind: 'gone' }],
    ['that somebody forbids', [scaleOf(3)], [failure(403, 'Forbidden', 'no')], 0, { kind: 'refused', message: 'no' }],
    [
      'that another overtook is read again',
      [scaleOf(3), scaleOf(5, '10')],
      [failure(409, 'Conflict', 'changed'), scaleOf(0)],
      0,
      { kind: 'scaled', from: 5 },
    ],
  ])('%s', async (_name, reads, writes, replicas, expected) => {
    const server = scripted({ [`GET ${scalePath}`]: reads, [`PUT ${scalePath}`]: writes })
    expect(await ask(server, replicas)).toEqual(expected)
  })

  test('without a number in its permit is no scale', async () => {
    const server = scripted({})
    await expect(ask(server)).rejects.toThrow('does not say how many replicas')
  })
})

test('a restart carries the change of its permit in one patch, found by name, and twice the same', async () => {
  const server = scripted({ 'PATCH /apis/apps/v1/namespaces/shop/deployments/cart': [workload] })
  const permit = grantedPermit(server, {
    targets: [cart],
    verb: 'restart',
    change: {
      annotations: { hash: 'secret' },
      env: [{ container: 'main', name: 'HASH', value: 'abc' }],
      resources: [
        { container: 'main', requests: { cpu: '250m' } },
        { container: 'proxy', limits: { memory: '64Mi' } },
      ],
    },
  })
  await restart(server.context, permit, cart, signal)
  await restart(server.context, permit, cart, signal)
  const [first, second] = server.asked
  expect(JSON.stringify(first)).toContain('application/strategic-merge-patch+json')
  expect(String(first?.body)).toBe(String(second?.body))
  expect(JSON.parse(String(first?.body))).toEqual({
    metadata: { uid: 'uid-cart' },
    spec: {
      template: {
        metadata: { annotations: { hash: 'secret', 'kubectl.kubernetes.io/restartedAt': '2026-03-02T04:00:00.000Z' } },
        spec: {
          containers: [
            { name: 'main', env: [{ name: 'HASH', value: 'abc', valueFrom: null }], resources: { requests: { cpu: '250m' } } },
            { name: 'proxy', resources: { limits: { memory: '64Mi' } } },
          ],
        },
      },
    },
  })
})
