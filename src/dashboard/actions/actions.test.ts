import { describe, expect, test } from 'vitest'
import type { RebalancePlan } from '#coordination/api.ts'
import { move, plan as runningPlan } from '#coordination/plans/testdata/objects.ts'
import { failure, scripted } from '#coordination/testdata/scripted-api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import type { ActionBody, ActionName } from '../contract.ts'
import type { Picture } from '../picture.ts'
import { pictureOf } from '../views/testdata/homelab.ts'
import { openActions } from './actions.ts'
import { rightsOf } from './needed-rights.ts'
import { PlanServer } from './testdata/plan-server.ts'

const node: KubeObject = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } }

function proposed(
  change: { readonly spec?: object; readonly status?: object; readonly annotations?: Record<string, string> } = {},
): RebalancePlan {
  const plan = runningPlan({ moves: [move(), move({ id: 'm02', wave: 2 })] })
  return {
    ...plan,
    metadata: { ...plan.metadata, ...(change.annotations === undefined ? {} : { annotations: change.annotations }) },
    spec: { ...plan.spec, approved: false, ...change.spec },
    status: { phase: 'Proposed', ...change.status },
  }
}

function setting(plan: RebalancePlan, given: Partial<Picture> = {}) {
  const server = new PlanServer(plan)
  const actions = openActions({ random: seededRandom(1), twin: { reset: async () => undefined } })
  const picture = (change: Partial<Picture> = {}): Picture => {
    const empty = pictureOf([node], given)
    return { ...empty, book: { ...empty.book, plans: [server.plan], ...given.book }, ...change }
  }
  const perform = (action: ActionName, body: Partial<ActionBody> = {}, change: Partial<Picture> = {}, viewer = 'anna') =>
    actions.perform(action, { revision: 'e1.1', ...body }, { viewer, api: server.api, picture: picture(change) })
  return { server, actions, picture, perform }
}

const asSeen = { plan: 'talos-0', snapshotHash: 'sha256:0' } as const

describe('approving', () => {
  test('is one write under the version that was seen, and is told', async () => {
    const { server, actions, perform } = setting(proposed())
    expect(await perform('approve', { ...asSeen, reason: 'looks good' })).toEqual({
      done: true,
      kubectl: `kubectl patch rebalanceplan talos-0 --type=merge -p '{"metadata":{"resourceVersion":"2","annotations":{"ballast.dev/approved-by":"anna","ballast.dev/run-until":null}},"spec":{"approved":true,"approvedHash":"sha256:0"}}'`,
      revision: 'e1.1',
    })
    await actions[Symbol.asyncDispose]()
    expect(server.plan.spec).toMatchObject({ approved: true, approvedHash: 'sha256:0' })
    expect(server.plan.metadata.annotations).toEqual({ 'ballast.dev/approved-by': 'anna' })
    expect(server.asked.map(({ verb, path, query, priority }) => [verb, path, query, priority])).toEqual([
      [
        'PATCH',
        '/apis/ballast.dev/v1alpha1/rebalanceplans/talos-0',
        { fieldManager: 'ballast-dashboard', fieldValidation: 'Strict', timeout: '4s' },
        'effect',
      ],
    ])
    expect(server.events).toMatchObject([
      {
        metadata: { namespace: 'default' },
        reason: 'PlanApproved',
        type: 'Normal',
        note: 'by anna: looks good',
        reportingController: 'ballast.dev/dashboard',
        regarding: { kind: 'RebalancePlan', name: 'talos-0', uid: 'uid-plan' },
      },
    ])
  })

  test('by two at once: one wins, the other is told that the plan changed', async () => {
    const { server, perform } = setting(proposed())
    const answers = await Promise.all([perform('approve', asSeen, {}, 'anna'), perform('approve', asSeen, {}, 'ben')])
    expect(answers).toMatchObject([{ done: true }, { status: 409, code: 'plan-changed', revision: 'e1.1' }])
    expect(server.plan.metadata.annotations?.['ballast.dev/approved-by']).toBe('anna')
  })

  test('whose answer is lost is not sent again', async () => {
    const { server, perform } = setting(proposed())
    server.losesAnswer = true
    expect(await perform('approve', asSeen)).toMatchObject({ status: 503, code: 'action-unconfirmed' })
    expect(server.asked.length).toBe(1)
  })

  // biome-ignore format: a table
  const refusals: readonly [string, RebalancePlan, ActionName, Partial<ActionBody>, object][] = [
    ['of another hash', proposed(), 'approve', { ...asSeen, snapshotHash: 'sha256:1' }, { status: 409, code: 'plan-changed' }],
    ['of another version', proposed(), 'approve', { ...asSeen, resourceVersion: '1' }, { status: 409, code: 'plan-changed' }],
    ['of another revision, without a version', proposed(), 'approve', { ...asSeen, revision: 'e1.0' }, { status: 409, code: 'plan-changed', revision: 'e1.1' }],
    ['withdrawing of another version', proposed({ spec: { approved: true } }), 'withdraw', { plan: 'talos-0', resourceVersion: '1' }, { status: 409, code: 'plan-changed' }],
    ['that is approved', proposed({ spec: { approved: true }, annotations: { 'ballast.dev/approved-by': 'ben' } }), 'approve', asSeen, { status: 409, code: 'plan-changed', message: 'Plan talos-0 is approved already, by ben.' }],
    ['that was replaced', proposed({ status: { phase: 'Expired', conditions: [{ type: 'Superseded', status: 'True', message: 'by talos-80aa' }] } }), 'approve', asSeen, { status: 409, code: 'plan-changed', message: 'Plan talos-0 was replaced by talos-80aa.' }],
    ['that expired', proposed({ status: { phase: 'Expired', message: 'its policy is gone' } }), 'approve', asSeen, { status: 409, code: 'plan-expired', message: 'Plan talos-0 has expired: its policy is gone.' }],
    ['that is over', proposed({ status: { phase: 'Succeeded' } }), 'step', asSeen, { status: 409, code: 'plan-over' }],
    ['that is over, pausing', proposed({ status: { phase: 'Failed' } }), 'pause', { plan: 'talos-0' }, { status: 409, code: 'plan-over' }],
    ['withdrawing one that runs', proposed({ spec: { approved: true }, status: { phase: 'Running' } }), 'withdraw', { plan: 'talos-0' }, { status: 409, code: 'plan-running' }],
    ['withdrawing one that is not approved', proposed(), 'withdraw', { plan: 'talos-0' }, { status: 409, code: 'plan-changed' }],
    ['a step to a move that it has not', proposed(), 'step', { ...asSeen, move: 'm09' }, { status: 409, code: 'plan-changed' }],
    ['a step to a move that is over', proposed({ status: { phase: 'Paused', steps: [{ id: 'm01', state: 'Landed' }] } }), 'step', { ...asSeen, move: 'm01' }, { status: 409, code: 'plan-changed' }],
    ['that is not there', proposed(), 'approve', { ...asSeen, plan: 'talos-9' }, { status: 404, code: 'action-target-gone' }],
    ['without a hash', proposed(), 'approve', { plan: 'talos-0' }, { status: 400, code: 'action-bad-body' }],
  ]
  test.each(refusals)('a plan %s writes nothing', async (_what, plan, action, body, refusal) => {
    const { server, actions, perform } = setting(plan)
    expect(await perform(action, body)).toMatchObject(refusal)
    await actions[Symbol.asyncDispose]()
    expect([server.asked, server.events]).toEqual([[], []])
  })

  test('under a policy that only reports writes nothing', async () => {
    const { server, perform, picture } = setting(proposed())
    const { book } = pictureOf([
      {
        apiVersion: 'ballast.dev/v1alpha1',
        kind: 'RebalancePolicy',
        metadata: { name: 'talos' },
        spec: { trigger: 'manual', mode: 'Report', goals: [{ name: 'g', nodes: ['n1'], resource: 'cpu', max: 70 }] },
      },
    ])
    const change = { book: { ...book, plans: picture().book.plans } }
    expect(await perform('approve', asSeen, change)).toMatchObject({ status: 409, code: 'policy-reports' })
    expect(server.asked).toEqual([])
  })
})

describe('what the others write', () => {
  // biome-ignore format: a table
  const writes: readonly [ActionName, RebalancePlan, Partial<ActionBody>, object][] = [
    ['step', proposed(), asSeen, { metadata: { resourceVersion: '2', annotations: { 'ballast.dev/approved-by': 'anna', 'ballast.dev/run-until': 'm01' } }, spec: { approved: true, approvedHash: 'sha256:0' } }],
    ['step', proposed({ spec: { approved: true }, status: { phase: 'Paused', steps: [{ id: 'm01', state: 'Landed' }] } }), asSeen, { metadata: { resourceVersion: '2', annotations: { 'ballast.dev/approved-by': 'anna', 'ballast.dev/run-until': 'm02' } }, spec: { approved: true, approvedHash: 'sha256:0' } }],
    ['approve', proposed({ spec: { approved: true }, status: { phase: 'Paused' }, annotations: { 'ballast.dev/run-until': 'm01' } }), asSeen, { metadata: { resourceVersion: '2', annotations: { 'ballast.dev/approved-by': 'anna', 'ballast.dev/run-until': null } }, spec: { approved: true, approvedHash: 'sha256:0' } }],
    ['withdraw', proposed({ spec: { approved: true }, status: { phase: 'Approved' } }), { plan: 'talos-0' }, { metadata: { resourceVersion: '2', annotations: { 'ballast.dev/approved-by': null, 'ballast.dev/run-until': null } }, spec: { approved: false, approvedHash: null } }],
    ['pause', proposed({ status: { phase: 'Running' } }), { plan: 'talos-0', reason: 'dinner' }, { metadata: { annotations: { 'ballast.dev/freeze': 'dinner', 'ballast.dev/frozen-by': 'anna' } } }],
    ['resume', proposed({ status: { phase: 'Paused' } }), { plan: 'talos-0' }, { metadata: { annotations: { 'ballast.dev/freeze': null, 'ballast.dev/frozen-by': null, 'ballast.dev/run-until': null } } }],
  ]
  test.each(writes)('%s', async (action, plan, body, written) => {
    const { server, perform } = setting(plan)
    expect(await perform(action, body)).toMatchObject({ done: true })
    expect(server.written.map(one => one.body)).toEqual([written])
  })

  // biome-ignore format: a table
  const tellings: readonly [ActionName, RebalancePlan, string][] = [
    ['step', proposed(), 'PlanApproved'],
    ['withdraw', proposed({ spec: { approved: true } }), 'PlanWithdrawn'],
    ['pause', proposed(), 'PlanPaused'],
    ['resume', proposed(), 'Thawed'],
  ]
  test.each(tellings)('%s is told as %s', async (action, plan, reason) => {
    const { server, actions, perform } = setting(plan)
    await perform(action, asSeen)
    await actions[Symbol.asyncDispose]()
    expect(server.events).toMatchObject([{ reason, note: 'by anna' }])
  })
})

describe('bodies that are refused before anything is sent', () => {
  const far = 'x'.repeat(201)
  // biome-ignore format: a table
  const bodies: readonly [ActionName, Partial<ActionBody>, number, RegExp][] = [
    ['pause', { plan: 'talos-0', reason: far }, 400, /at most 200 characters/],
    ['pause', { plan: 'talos-0', reason: 'false' }, 400, /would freeze nothing/],
    ['freeze', { scope: null, reason: '2020-01-01T00:00:00Z' }, 400, /would freeze nothing/],
    ['freeze', {}, 400, /needs scope/],
    ['freeze', { scope: { kind: 'Secret', namespace: 'a', name: 'b' } }, 400, /nothing that can be frozen/],
    ['freeze', { scope: { kind: 'Deployment', namespace: null, name: 'b' } }, 400, /nothing that can be frozen/],
    ['freeze', { scope: { kind: '__proto__', namespace: null, name: 'b' } }, 400, /nothing that can be frozen/],
    ['replan', {}, 400, /needs policy/],
    ['twin/speed', { speed: 0 }, 400, /A speed is/],
    ['twin/speed', { speed: 1e-9 }, 400, /A speed is/],
    ['twin/speed', { speed: Number.NaN }, 400, /A speed is/],
    ['twin/speed', { speed: 20_000 }, 400, /A speed is/],
    ['twin/advance', { advanceMs: -1 }, 400, /advanced/],
    ['twin/advance', { advanceMs: 86_400_001 }, 400, /advanced/],
    ['twin/fault', { fault: { kind: 'earthquake' } }, 400, /one of stop-node/],
    ['twin/fault', { fault: { kind: 'toString' } }, 400, /one of stop-node/],
    ['twin/fault', { fault: { kind: 'stop-node' } }, 400, /Which node/],
    ['twin/fault', { fault: { kind: 'stop-node', node: 'n9' } }, 404, /no node n9/],
    ['twin/fault', { fault: { kind: 'server-errors', minutes: 0 } }, 400, /1 to 1440 minutes/],
    ['twin/heal', {}, 400, /needs name/],
  ]
  test.each(bodies)('%s %j', async (action, body, status, message) => {
    const { server, perform } = setting(proposed())
    expect(await perform(action, body)).toMatchObject({ status, message: expect.stringMatching(message) })
    expect(server.asked).toEqual([])
  })

  test.each<ActionName>(['twin/speed', 'twin/reset', 'twin/fault'])('%s outside of a twin', async action => {
    const { server, perform } = setting(proposed())
    expect(await perform(action, { speed: 60 }, { mode: 'cluster' })).toMatchObject({ status: 404, code: 'twin-only' })
    expect(server.asked).toEqual([])
  })
})

const faultsPath = '/apis/ballast.dev/v1alpha1/twinfaults'

describe('answers of the API server', () => {
  const actions = openActions({ random: seededRandom(1) })
  const picture = pictureOf([node])
  const perform = (server: ReturnType<typeof scripted>, action: ActionName, body: Partial<ActionBody>) =>
    actions.perform(action, { revision: 'e1.1', ...body }, { viewer: 'anna', api: server.api, picture })

  // biome-ignore format: a table
  const answers: readonly [number, string, object][] = [
    [403, 'Forbidden', { status: 403, code: 'action-forbidden', message: 'Your account lacks patch on deployments (apps) in media.' }],
    [404, 'NotFound', { status: 404, code: 'action-target-gone', message: 'Deployment media/sonarr is not there.' }],
    [422, 'Invalid', { status: 400, code: 'action-refused', message: 'The API server refused it: no' }],
    [429, 'TooManyRequests', { status: 503, code: 'action-unconfirmed' }],
    [500, 'InternalError', { status: 503, code: 'action-unconfirmed' }],
    [504, 'Timeout', { status: 503, code: 'action-unconfirmed' }],
  ]
  test.each(answers)('%d %s', async (code, reason, refusal) => {
    const server = scripted({ 'PATCH /apis/apps/v1/namespaces/media/deployments/sonarr': [failure(code, reason, 'no')] })
    const scope = { kind: 'Deployment', namespace: 'media', name: 'sonarr' }
    expect(await perform(server, 'freeze', { scope })).toMatchObject(refusal)
    expect(server.asked.length).toBe(1)
  })

  test('a fault takes the next free name, also where the picture is old', async () => {
    const made = { status: 201, body: { apiVersion: 'ballast.dev/v1alpha1', kind: 'TwinFault', metadata: { name: 'page-3' } } }
    const server = scripted({ [`POST ${faultsPath}`]: [failure(409, 'AlreadyExists', 'there is one'), made] })
    const known = {
      ...picture,
      twin: { source: 'a', seed: 1, clock: undefined, faults: [{ ...node, metadata: { name: 'page-1' } }] },
    }
    const body = { revision: 'e1.1', fault: { kind: 'slow-pulls', minutes: 1 } }
    const answer = await actions.perform('twin/fault', body, { viewer: 'anna', api: server.api, picture: known })
    expect(answer).toMatchObject({ done: true, kubectl: expect.stringContaining('"page-3"') })
    expect(server.asked.map(({ body: sent }) => JSON.parse(String(sent)).metadata.name)).toEqual(['page-2', 'page-3'])
  })

  test('an Event that may not be written does not undo what was done', async () => {
    const path = '/api/v1/namespaces/media'
    const server = scripted({
      [`PATCH ${path}`]: [{ status: 200, body: { metadata: { name: 'media', uid: 'u' } } }],
      'POST /apis/events.k8s.io/v1/namespaces/default/events': [failure(403, 'Forbidden', 'no')],
    })
    expect(await perform(server, 'freeze', { scope: { kind: 'Namespace', namespace: null, name: 'media' } })).toMatchObject({
      done: true,
    })
  })

  test('two resets at once load the source once', async () => {
    let resets = 0
    const loaded = Promise.withResolvers<void>()
    const twin = {
      reset: () => {
        resets++
        return loaded.promise
      },
    }
    const ofTwin = openActions({ random: seededRandom(1), twin })
    const asking = { viewer: 'anna', api: scripted({}).api, picture }
    const both = [1, 2].map(() => ofTwin.perform('twin/reset', { revision: 'e1.1' }, asking))
    loaded.resolve()
    expect(await Promise.all(both)).toMatchObject([{ done: true }, { done: true }])
    expect(resets).toBe(1)
  })
})

// biome-ignore format: a table
test.each<[ActionName, Parameters<typeof rightsOf>[1], object | undefined]>([
  ['approve', undefined, { verb: 'patch', group: 'ballast.dev', resource: 'rebalanceplans' }],
  ['replan', undefined, { verb: 'patch', group: 'ballast.dev', resource: 'rebalancepolicies' }],
  ['freeze', null, { verb: 'patch', group: '', resource: 'namespaces', name: 'ballast-system' }],
  ['thaw', { kind: 'StatefulSet', namespace: 'media', name: 'plex' }, { verb: 'patch', group: 'apps', resource: 'statefulsets', namespace: 'media', name: 'plex' }],
  ['twin/speed', undefined, { verb: 'patch', group: 'ballast.dev', resource: 'twinclocks', name: 'clock' }],
  ['twin/fault', undefined, { verb: 'create', group: 'ballast.dev', resource: 'twinfaults' }],
  ['twin/heal', undefined, { verb: 'delete', group: 'ballast.dev', resource: 'twinfaults' }],
  ['twin/reset', undefined, undefined],
])('%s of %j needs', (action, scope, right) => {
  expect(rightsOf(action, scope)).toEqual(right)
})
