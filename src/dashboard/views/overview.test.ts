import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { quarantineWords } from '#coordination/account/quarantined-parts.ts'
import type { RebalancePlan } from '#coordination/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { solveInChild } from '#planning/solving/solve.ts'
import * as schemas from '../contract.ts'
import type { Picture } from '../picture.ts'
import { inZone } from '../words/moments.ts'
import { permitPage } from './ledger/permits.ts'
import { nodePodsOf, nodeViewOf } from './nodes/node.ts'
import { overviewOf } from './overview.ts'
import { certificateOf } from './plans/certificate.ts'
import { planViewOf } from './plans/plan.ts'
import { searchIn } from './search.ts'
import { settingRows } from './settings.ts'
import { sourceOf } from './sources.ts'
import {
  ago,
  homelab,
  hour,
  minute,
  nowMs,
  permitObject,
  pictureOf,
  plannedFor,
  planWith,
  policyObject,
} from './testdata/homelab.ts'
import { twinViewOf } from './twin.ts'
import { everything, type Viewing } from './viewing.ts'
import { workloadRows } from './workloads/workload-rows.ts'

const berlin: Viewing = { ...everything, displayZone: 'Europe/Berlin' }
const session = solveInChild.session()
let plan: RebalancePlan
beforeAll(async () => {
  plan = await plannedFor(homelab(), session.solve)
})
afterAll(() => session[Symbol.dispose]())

function told(picture: Picture, viewing = berlin): readonly string[] {
  const { level, sentences } = overviewOf(picture, viewing).verdict
  return [level, ...sentences.map(sentence => inZone(sentence, viewing.displayZone ?? 'UTC', picture.nowMs))]
}

const goalText = 'talos00 has 93% of its CPU requested; the goal is at most 70%. talos03 has 4%; the goal is at least 30%.'
const met = { goals: [{ name: 'roomy', nodes: ['talos00'], resource: 'memory', stat: 'requests', max: 99 }] }
const frozenNamespace: KubeObject = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'ballast-system', annotations: { 'ballast.dev/freeze': 'update night', 'ballast.dev/frozen-by': 'local' } },
}

type Status = NonNullable<RebalancePlan['status']>
const withPlan = (status: Partial<Status>, policy: Readonly<Record<string, unknown>> = {}, others: readonly KubeObject[] = []) =>
  pictureOf([...homelab(policy), planWith(plan, { status }), ...others])

describe('the verdict, row by row', () => {
  test('while the cluster is being loaded', () => {
    const loading = { shown: 'examples/talos-homelab', loaded: 61, total: 412 }
    expect(told(pictureOf([], { loading }))).toEqual(['unknown', 'Loading examples/talos-homelab: 61 of 412 objects'])
  })

  test('the API server never answered, or answers no nodes', () => {
    const sources = [sourceOf({ name: 'api', lastMs: undefined, nowMs })]
    expect(told(pictureOf([], { sources }))[1]).toContain('has not answered yet')
    expect(told(pictureOf([]))).toEqual(['unknown', 'The cluster has no nodes.'])
  })

  test('of a moment in the past the nodes are not kept', () => {
    expect(told(pictureOf([], { past: { present: pictureOf(homelab()) } }))[1]).toContain('is not kept')
  })

  test('a part with a bug of its own, until it is tried again', () => {
    const event = (untilMs: number, over: object = {}) => ({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: `e${untilMs}`, namespace: 'ballast-system' },
      eventTime: ago(2 * minute),
      reason: 'PartQuarantined',
      note: `reload/controller ${quarantineWords({ untilMs, why: 'x is undefined' })}`,
      reportingController: 'ballast.dev/reload',
      regarding: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace: 'ballast-system', name: 'ballast-controller' },
      ...over,
    })
    const now = pictureOf([...homelab(), event(nowMs + 5 * minute)])
    expect(told(now)).toEqual([
      'blocked',
      expect.stringMatching(/^reload\/controller does nothing because of a bug of its own; it is tried again at \d\d:\d\d/),
    ])
    const other = { regarding: { kind: 'Lease', namespace: 'shop', name: 'x' } }
    for (const one of [
      event(nowMs - minute),
      event(nowMs + minute, other),
      event(nowMs + minute, { reportingController: 'else' }),
    ])
      expect(told(pictureOf([...homelab(), one]))[0]).not.toBe(told(now)[0])
  })

  const down = (name: string, because: string) => ({ name, state: 'down' as const, lastAt: null, limitMs: 60_000, because })

  test.each(['pods', 'nodes'])('unknown, where %s could not be read: no figure is made from nothing', kind => {
    const isPods = kind === 'pods'
    const objects = homelab().filter(one => one.kind !== (isPods ? 'Pod' : 'Node'))
    const picture = pictureOf(objects, { sources: [down(kind, `Your account lacks list on ${kind}.`)] })
    expect(told(picture)).toEqual(['unknown', `The ${kind} are not known. Your account lacks list on ${kind}.`])
    const overview = overviewOf(picture, berlin)
    for (const { cpu, memory, pods } of isPods ? [...overview.nodes, overview.totals] : [])
      expect([cpu.requested, memory.requested, pods.count]).toEqual([null, null, null])
    for (const { now, met } of overview.goals) expect([now, met]).toEqual([null, false])
    for (const { ready, pods, cpu, memory } of isPods ? workloadRows(picture, {}).workloads : [])
      expect([ready, pods, cpu, memory]).toEqual([null, null, null, null])
    expect(
      nodePodsOf(picture, 'talos00', { sort: 'cpu', descending: true, limit: 5, cursor: null, query: '' }, everything)?.total ??
        null,
    ).toBeNull()
  })

  test.each(['deployments', 'scaledobjects'])('nothing is counted by workloads where %s could not be read', kind => {
    const { counts, scaleToZero } = overviewOf(pictureOf(homelab(), { sources: [down(kind, '500')] }), berlin)
    expect(counts.owners).toEqual({ keda: null, descheduler: null, none: null })
    expect(scaleToZero).toMatchObject({ can: null, atZero: null, sentence: { text: `The ${kind} are not known. 500.` } })
  })

  test('goals and permits that could not be read are not told as none', () => {
    const sources = [down('ledger', 'refused'), down('rebalancepolicies', 'refused')]
    const picture = pictureOf(
      homelab().filter(({ kind }) => kind !== 'RebalancePolicy'),
      { sources },
    )
    expect(overviewOf(picture, berlin).goalsEmpty?.text).toBe('The goals are not known. refused.')
    expect(permitPage(picture, { limit: 10 }, berlin).counts.sentence.text).toBe('Permits are not known. refused.')
  })

  test('without a controller nothing is said to be planned or to go on', () => {
    const sources = [down('controller', 'No controller leads here: nobody renews the Lease')]
    const sentence = 'No controller leads here: nobody renews the Lease. Nothing is planned and nothing goes on.'
    expect(told(pictureOf(homelab(), { sources }))).toEqual(['attention', goalText, sentence])
    for (const phase of ['Proposed', 'Approved', 'Paused'] as const)
      expect(told(pictureOf([...homelab(), planWith(plan, { status: { phase } })], { sources }))).toContain(sentence)
    const running = pictureOf([...homelab(), planWith(plan, { status: { phase: 'Running' } })], { sources })
    expect(told(running)).toEqual(['blocked', expect.any(String), sentence])
  })

  test('frozen, before all that is missed', () => {
    const picture = pictureOf([...homelab(), frozenNamespace])
    expect(told(picture)).toEqual(['blocked', 'Ballast is frozen by local: update night. Nothing will be disrupted.'])
    expect(overviewOf(picture, berlin).freeze).toMatchObject({ by: 'local', scope: null })
  })

  test('no choice of moves reaches the goals', async () => {
    const unlabelled = homelab().map((object): KubeObject => {
      const labels = { ...object.metadata.labels }
      delete labels['scaling.talos.io/managed-by']
      return { ...object, metadata: { ...object.metadata, labels } }
    })
    const impossible = await plannedFor(unlabelled, session.solve)
    const over = planWith(impossible, { status: { phase: 'Failed' } })
    expect(impossible.spec.outcome).toBe('infeasible')
    expect(told(pictureOf([...unlabelled, over]))).toEqual([
      'blocked',
      expect.stringMatching(/^cp-light and 1 more cannot be reached: \S.*\.$/),
    ])
  })

  test('a policy that cannot be planned', () => {
    const policy = policyObject()
    const conditions = [{ type: 'Valid', status: 'False', reason: 'InvalidSpec', message: 'spec.schedule: found "x"\nmore' }]
    const objects = homelab().map(object => (object.kind === 'RebalancePolicy' ? { ...policy, status: { conditions } } : object))
    expect(told(pictureOf(objects))).toEqual([
      'blocked',
      'cp-light and 1 more cannot be reached: policy talos cannot be planned (spec.schedule: found "x").',
    ])
  })

  test('somebody else disrupts something', () => {
    const out = { releasedAgo: undefined, requester: 'reload', verb: 'restart', workload: 'media/Deployment/sonarr' }
    const permits = [permitObject({ ...out, name: 'one' }), permitObject({ ...out, name: 'two', grantedAgo: minute })]
    expect(told(pictureOf([...homelab(), ...permits]))).toEqual([
      'acting',
      'Reload restarts media/sonarr. 1 other disruption is under way.',
    ])
  })

  test.each<readonly [string, Partial<Status>, Readonly<Record<string, unknown>>, readonly string[]]>([
    ['between two moves', { phase: 'Running' }, {}, ['acting', 'The plan is running: 0 of 15 moves done.']],
    [
      'paused',
      { phase: 'Paused', message: 'frozen by somebody.' },
      {},
      ['attention', goalText, 'The plan is paused after 0 of 15 moves: frozen by somebody.'],
    ],
    ['approved', { phase: 'Approved' }, {}, ['attention', goalText, 'A plan of 15 moves is approved. It starts now.']],
    [
      'approved, its window to come',
      { phase: 'Approved' },
      { windows: [{ cron: '0 4 * * *', duration: '1h' }] },
      ['attention', goalText, 'A plan of 15 moves is approved. It starts at 04:00 (Europe/Berlin), in 13h.'],
    ],
  ])('a plan that is %s', (_, status, policy, expected) => expect(told(withPlan(status, policy))).toEqual(expected))

  test('of many goals that are missed two are told', () => {
    const goals = ['talos00', 'talos01', 'talos02-gpu', 'talos03'].map(node => ({
      name: `g-${node}`,
      nodes: [node],
      resource: node === 'talos01' ? 'memory' : 'cpu',
      stat: 'requests',
      max: 1,
    }))
    const [, text] = told(pictureOf(homelab({ goals, trigger: 'manual' })))
    expect(text).toBe(
      'talos00 has 93% of its CPU requested; the goal is at most 1%. talos01 has 97% of its memory requested; the goal is at most 1%. And 2 more goals are not met.',
    )
    expect(told(pictureOf(homelab({ goals, trigger: 'manual' })))[2]).toContain('only when somebody asks')
  })

  test('all goals are met, and what was done for it within a day', () => {
    const steps = plan.spec.moves
      .slice(0, 3)
      .map(({ id }, at) => ({ id, state: 'Landed' as const, landedOn: 'talos03', seconds: 20 + at }))
    const done = { phase: 'Succeeded' as const, finishedAt: ago(hour), steps }
    // Nodes that no goal speaks of would stand out.
    const goals = [...met.goals, { name: 'wide', nodes: ['talos00', 'talos03'], resource: 'cpu', stat: 'requests', max: 99 }]
    expect(told(withPlan(done, { goals }))).toEqual([
      'good',
      'All 2 goals are met.',
      '3 moves were made at 13:03:20; 3 pods were disrupted, none for longer than 22 s.',
    ])
    expect(told(withPlan({ ...done, finishedAt: ago(25 * hour) }, { goals }))).toEqual(['good', 'All 2 goals are met.'])
  })

  test('a node that no goal speaks of stands out beside goals that are met', () => {
    expect(told(pictureOf(homelab(met)))).toEqual([
      'attention',
      'talos03 is almost idle: 4% of its CPU is requested. talos00 has 93% of its CPU requested.',
    ])
  })

  test('times are told as moments: whoever shows them has the zone', () => {
    const sources = [sourceOf({ name: 'api', lastMs: nowMs - 2 * minute, nowMs })]
    const [sentence] = overviewOf(pictureOf(homelab(), { sources }), everything).verdict.sentences
    expect(sentence?.text).toContain('What follows is from 2025-12-19T13:01:20Z.')
  })
})

test('owners: KEDA, the rebalancer, nobody', () => {
  const { owners } = overviewOf(pictureOf(homelab()), berlin).counts
  const kinds = ['Deployment', 'StatefulSet', 'DaemonSet']
  const workloads = homelab().filter(({ kind }) => kinds.includes(kind)).length
  const counts = [owners.keda ?? 0, owners.descheduler ?? 0, owners.none ?? 0]
  expect(counts.reduce((sum, count) => sum + count)).toBe(workloads)
  expect(counts.every(count => count > 0)).toBe(true)
})

test('goals of one name in two policies are told apart', () => {
  const second = { ...policyObject(), metadata: { name: 'other', uid: 'other' } }
  const names = overviewOf(pictureOf([...homelab(), second]), berlin).goals.map(({ name }) => name)
  expect(names).toEqual(['other/cp-light', 'other/use-talos03', 'talos/cp-light', 'talos/use-talos03'])
})

describe('hostile input', () => {
  const evil = `<img onerror=x>\u202e\u0000${'n'.repeat(220)}`
  const hostile: readonly KubeObject[] = [
    {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: evil, uid: 'n' },
      status: { allocatable: { cpu: '1', memory: '1Gi', pods: '1' } },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `p${evil}`, namespace: 'd', uid: 'p' },
      spec: { nodeName: evil, containers: [{ name: 'c', resources: { requests: { cpu: '950m' } } }] },
    },
  ]

  test('names are shown as text, with pictures for what would not be seen', () => {
    const [, text] = told(pictureOf(hostile))
    expect(text).toBe(`<img onerror=x>⟨202E⟩␀${'n'.repeat(220)} has 95% of its CPU requested.`)
  })

  test('every answer has its shape', () => {
    const picture = pictureOf([
      ...hostile,
      policyObject({ goals: [{ name: evil.slice(0, 200), nodes: [evil], resource: 'cpu', stat: 'requests', max: 5 }] }),
    ])
    check(picture, evil)
  })
})

/** Every answer that can be made of `picture`, held to its schema. */
function check(picture: Picture, node: string): void {
  schemas.overview.parse(overviewOf(picture, berlin))
  schemas.nodeView.parse(nodeViewOf(picture, node, berlin))
  const query = { sort: 'cpu', descending: true, cursor: null, limit: 50, query: '' } as const
  schemas.nodePodPage.parse(nodePodsOf(picture, node, query, berlin))
  schemas.twinView.parse(twinViewOf(picture, berlin))
  schemas.settingRows.parse(settingRows(picture, []))
  schemas.permitPage.parse(permitPage(picture, {}, berlin))
  schemas.searchHits.parse(searchIn(picture, 'talos', 20, { sees: berlin.sees, reads: () => true }))
}

describe('answers have the shapes of the contract', () => {
  test.each<readonly [string, () => Picture]>([
    ['with a plan that waits', () => withPlan({})],
    [
      'with one that runs, and permits',
      () => withPlan({ phase: 'Running' }, {}, [permitObject({}), permitObject({ name: 'b', releasedAgo: undefined })]),
    ],
    ['of a real cluster, frozen', () => ({ ...pictureOf([...homelab(), frozenNamespace]), mode: 'cluster' })],
    ['without goals', () => pictureOf(homelab(met))],
  ])('%s', (_, picture) => check(picture(), 'talos00'))

  test('a plan and its proofs', () => {
    const picture = withPlan({})
    schemas.planView.parse(planViewOf(picture, plan.metadata.name, berlin))
    const found = picture.book.plans[0]
    const move = plan.spec.moves[0]
    if (found === undefined || move === undefined) throw new Error('a plan with moves')
    schemas.moveCertificate.parse(certificateOf(picture, found, move.id))
  })

  test('a body of an action, and not one with more in it', () => {
    const body = { revision: 'e1.7', plan: 'talos-7f3c', snapshotHash: 'h' }
    expect(schemas.actionBody.parse(body)).toEqual(body)
    expect(schemas.actionBody.safeParse({ ...body, token: 'x' }).success).toBe(false)
    expect(schemas.actionBody.safeParse({ ...body, reason: 'x'.repeat(201) }).success).toBe(false)
    expect(schemas.actionBody.safeParse({ plan: 'x' }).success).toBe(false)
  })
})
