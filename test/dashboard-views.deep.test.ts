// The cases of dashboard.md 7 that need no browser, on the example's own files: what the page and the terminal are sent.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RebalancePlan } from '#coordination/api.ts'
import { moveKey } from '#coordination/plans/move-run.ts'
import type { NodeRow, Overview } from '#dashboard/contract.ts'
import type { Picture } from '#dashboard/picture.ts'
import { nodeRows } from '#dashboard/views/nodes/nodes.ts'
import { overviewOf } from '#dashboard/views/overview.ts'
import { goalRows } from '#dashboard/views/plans/goals.ts'
import { policyGoals } from '#dashboard/views/plans/policy-goals.ts'
import { sourceOf } from '#dashboard/views/sources.ts'
import { homelab, nowMs, permitObject, pictureOf, plannedFor, planWith, policyObject } from '#dashboard/views/testdata/homelab.ts'
import { everything, type Viewing } from '#dashboard/views/viewing.ts'
import { asOf, exactCpu, nodeStateText } from '#dashboard/words/en.ts'
import { inZone } from '#dashboard/words/moments.ts'
import { nearGoal, percentText, shareOfWhole } from '#dashboard/words/percent.ts'
import { cpuExactOf, cpuOf, memoryExactOf, memoryOf, memoryShort } from '#dashboard/words/quantity.ts'
import { timeOfDay } from '#dashboard/words/time.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { defaultCoreNamespaces, policyWithDefaults } from '#planning/goals/policy.ts'
import { makePlan } from '#planning/plan.ts'
import { solveInChild } from '#planning/solving/solve.ts'
import tables from '../examples/talos-homelab/expect/tables.json' with { type: 'json' }
import { labelled, snapshot } from './homelab-states.ts'

const Mi = 2 ** 20
const berlin: Viewing = { ...everything, displayZone: 'Europe/Berlin' }
const withoutPolicies = (objects: readonly KubeObject[]) => objects.filter(({ kind }) => kind !== 'RebalancePolicy')
const texts = ({ verdict }: Overview) => verdict.sentences.map(sentence => inZone(sentence, 'Europe/Berlin', nowMs))

const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())

function row(picture: Picture, name: string): NodeRow {
  const found = nodeRows(picture).find(one => one.name === name)
  if (found === undefined) throw new Error(`no row of ${name}`)
  return found
}

function cells({ cpu, memory, pods }: NodeRow): readonly (string | number | null)[] {
  return [
    percentText(cpu.requested, cpu.allocatable),
    percentText(cpu.used, cpu.allocatable),
    percentText(memory.requested, memory.allocatable),
    percentText(memory.used, memory.allocatable),
    pods.count,
  ]
}

test('D1: no goals are set', () => {
  const overview = overviewOf(pictureOf(withoutPolicies(snapshot())), berlin)
  expect(overview.verdict.level).toBe('attention')
  expect(texts(overview)).toEqual(['talos03 is almost idle: 4% of its CPU is requested. talos00 has 93% of its CPU requested.'])
  expect(overview.goalsEmpty?.text).toBe('No goals are set. Without a goal Ballast only reports.')
})

const unmet = 'talos00 has 93% of its CPU requested; the goal is at most 70%. talos03 has 4%; the goal is at least 30%.'

test('D2: goals and no plan yet', () => {
  const asked = labelled().map(object =>
    object.kind === 'RebalancePolicy'
      ? { ...object, metadata: { ...object.metadata, annotations: { 'ballast.dev/plan-now': '2025-12-19T13:03:20Z' } } }
      : object,
  )
  const overview = overviewOf(pictureOf(asked), berlin)
  expect(overview.verdict.level).toBe('attention')
  expect(texts(overview)).toEqual([unmet, 'Planning…'])
  expect(overview.plan).toBeNull()
})

test('D2 without anybody who asks: when the schedule plans is said', () => {
  const created = { creationTimestamp: '2025-12-19T13:00:00Z' }
  const objects = labelled().map(object =>
    object.kind === 'RebalancePolicy' ? { ...object, metadata: { ...object.metadata, ...created } } : object,
  )
  expect(texts(overviewOf(pictureOf(objects), berlin))[1]).toBe('The next plan is made at 04:00 (Europe/Berlin), in 13h.')
  expect(texts(overviewOf(pictureOf(objects, { capabilities: [] }), berlin))[1]).toContain('the capability deschedule is off')
})

test('D4: the node table of the example', () => {
  const picture = pictureOf(labelled())
  const seen = Object.fromEntries(nodeRows(picture).map(one => [one.name, cells(one)]))
  expect(seen).toEqual({
    talos00: ['93%', '57%', '82%', '73%', 59],
    talos01: ['54%', '7%', '97%', '30%', 45],
    'talos02-gpu': ['32%', '4%', '28%', '8%', 11],
    talos03: ['4%', '0%', '16%', '11%', 9],
  })
  for (const [name, known] of Object.entries(tables.before)) {
    const { cpu, memory } = row(picture, name)
    expect([cpu.requested, (memory.requested ?? 0) / Mi]).toEqual([
      Number.parseInt(known.requestedCpu, 10),
      Number.parseInt(known.requestedMemory, 10),
    ])
  }
  expect(row(picture, 'talos00').role).toBe('control-plane')
  expect(row(picture, 'talos00').goals).toEqual(['cp-light'])
})

test('D5, D6: sums', () => {
  const picture = pictureOf(labelled())
  const { totals } = overviewOf(picture, berlin)
  expect(shareOfWhole(row(picture, 'talos00').pods.count ?? 0, totals.pods.count ?? 0, 'pods')).toBe('59 of 124 pods (47.6%)')
  expect([totals.nodes, totals.cpu.requested, totals.cpu.allocatable]).toEqual([4, 19035, 49800])
  expect([(totals.memory.requested ?? 0) / Mi, totals.memory.allocatable / Mi]).toEqual([54771, 114600])
  expect([
    percentText(totals.cpu.requested, totals.cpu.allocatable),
    percentText(totals.memory.requested, totals.memory.allocatable),
  ]).toEqual(['38%', '47%'])
})

test('D7: distance of the goals', () => {
  const goals = goalRows(pictureOf(labelled()))
  expect(goals.map(({ name, met, because }) => [name, met, because.text])).toEqual([
    ['cp-light', false, '23.4 points over'],
    ['use-talos03', false, '25.9 points short'],
  ])
})

test('D8, D9: short and exact forms', () => {
  const picture = pictureOf(labelled())
  const { cpu, memory } = row(picture, 'talos00')
  expect(cpuOf(cpu.requested, cpu.allocatable)).toBe('7.4 of 7.9 cores')
  expect(memoryOf(memory.requested, memory.allocatable)).toBe('12.4 of 15.1Gi')
  expect(cpuExactOf(cpu.requested, cpu.allocatable)).toBe('7425m of 7950m')
  expect(memoryExactOf(memory.requested, memory.allocatable)).toBe('12772Mi of 15500Mi')
  const crowded = row(picture, 'talos01').memory
  expect(memoryShort(crowded.allocatable - (crowded.requested ?? 0))).toBe('640Mi')
  const idle = row(picture, 'talos03').cpu
  expect([percentText(idle.used, idle.allocatable), exactCpu(idle.used, idle.allocatable)]).toEqual([
    '0%',
    '60m of 15950m (0.37%)',
  ])
})

describe('with the plan of 15 moves', () => {
  let plan: RebalancePlan
  let objects: readonly KubeObject[]
  beforeAll(async () => {
    objects = labelled()
    plan = await plannedFor(objects, session.solve)
  })
  const proposed = (given: Partial<Picture> = {}) => pictureOf([...objects, plan], given)

  test('D3: it is waiting', () => {
    const overview = overviewOf(proposed(), berlin)
    expect(overview.verdict.level).toBe('attention')
    expect(texts(overview)).toEqual([
      unmet,
      'A plan of 15 moves reaches both goals. It is waiting for you; nothing has been moved.',
    ])
    expect(overview.plan?.sentences[0]?.text).toBe('15 moves, the fewest that keep the margins (bound 14.63).')
    expect(overview.goals.map(({ name, after }) => [name, percentText(after, 100)])).toEqual([
      ['cp-light', expect.stringMatching(/^6[0-8]%$|^[1-5]\d%$/)],
      ['use-talos03', '31%'],
    ])
    const { after, cpu } = row(proposed(), 'talos03')
    expect([after?.cpu, cpu.allocatable]).toEqual([4955, 15950])
    expect(overview.buttons.map(({ action, enabled }) => [action, enabled])).toEqual([
      ['approve', true],
      ['step', true],
      ['replan', true],
      ['freeze', true],
    ])
  })

  test('the plan waits behind a red gate, and that is said instead', () => {
    const broken = [...objects, plan].map(object =>
      object.kind === 'Node' && object.metadata.name === 'talos01' ? notReady(object, 95) : object,
    )
    const overview = overviewOf(pictureOf(broken), berlin)
    expect([overview.verdict.level, ...texts(overview)]).toEqual(['blocked', 'Moves wait: node talos01 is not Ready.'])
  })

  test('D12: it is running', () => {
    const ids = plan.spec.moves.map(({ id }) => id)
    const running = planWith(plan, {
      status: { phase: 'Running', steps: ids.slice(0, 3).map(id => ({ id, state: 'Landed', landedOn: 'talos03', seconds: 21 })) },
    })
    const move = plan.spec.moves[3]
    if (move === undefined) throw new Error('a fourth move')
    const permit = permitObject({ key: moveKey(plan, move), grantedAgo: 5_000, releasedAgo: undefined })
    const overview = overviewOf(pictureOf([...objects, running, permit]), berlin)
    const { namespace, name } = move.workload
    expect([overview.verdict.level, ...texts(overview)]).toEqual([
      'acting',
      `Moving 4 of 15: ${namespace}/${name} from ${move.from} to talos03. 3 done, 0 failed.`,
    ])
    expect(overview.doing.map(({ move, sentence }) => [move, sentence.text])).toEqual([
      [ids[3], `${namespace}/${name} from ${move.from} to talos03`],
    ])
    expect(overview.buttons.map(({ action, prominent }) => [action, prominent])).toEqual([
      ['pause', true],
      ['freeze', false],
    ])
  })

  test('a viewer sees that something moves, and not what, where they may not list pods', () => {
    const move = plan.spec.moves[0]
    if (move === undefined) throw new Error('a move')
    const permit = permitObject({ key: moveKey(plan, move), grantedAgo: 5_000, releasedAgo: undefined })
    const picture = pictureOf([...objects, planWith(plan, { status: { phase: 'Running' } }), permit])
    const [text] = texts(overviewOf(picture, { ...berlin, sees: () => false }))
    expect(text).toContain('Moving 1 of 15: something you may not see from')
  })

  test('D11: a plan with margin 0 of 14 moves, and goals just missed', async () => {
    const goals = [
      { name: 'cp-light', nodes: ['talos00'], resource: 'cpu', stat: 'requests', max: 70, margin: 0 },
      { name: 'use-talos03', nodes: ['talos03'], resource: 'cpu', stat: 'requests', min: 30, margin: 0 },
    ]
    const without = withoutPolicies(objects)
    const given = [...without, policyObject({ goals })]
    const narrow = await plannedFor(given, session.solve, 'talos-14')
    expect(narrow.spec.moves).toHaveLength(14)
    const after = goalRows(pictureOf([...given, narrow])).find(({ name }) => name === 'use-talos03')?.after ?? null
    expect(nearGoal(after, { min: 30, max: null, met: true })).toBe('30%')
  })
})

/** A bare cluster of one node whose pods request so much of its CPU. */
function oneNode(requested: number, allocatable: number, goal: Readonly<Record<string, unknown>>): Picture {
  return pictureOf([
    {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n' },
      status: { allocatable: { cpu: `${allocatable}m`, memory: '1Gi', pods: '10' } },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'd', uid: 'p' },
      spec: { nodeName: 'n', containers: [{ name: 'c', resources: { requests: { cpu: `${requested}m` } } }] },
    },
    policyObject({ goals: [{ name: 'g', nodes: ['n'], resource: 'cpu', stat: 'requests', ...goal }] }),
  ])
}

test.each([
  [2994, 10_000, { min: 30 }, '29%', false, '0.1 points short'],
  [7034, 10_000, { max: 70 }, '70.3%', false, '0.3 points over'],
  [3010, 10_000, { min: 30 }, '30%', true, 'met'],
  [7000, 10_000, { max: 70 }, '70.00%', false, 'exactly 70%: must be below'],
  [70_001, 100_000, { max: 70 }, '70.00%', false, 'less than 0.1 points over'],
  [10_400, 10_000, { max: 70 }, '104%', false, '34.0 points over'],
])('D11: %dm of %dm with %o reads %s', (requested, allocatable, goal, text, met, because) => {
  const [found] = goalRows(oneNode(requested, allocatable, goal))
  if (found === undefined) throw new Error('a goal')
  expect([nearGoal(found.now, found), found.met, found.because.text]).toEqual([text, met, because])
})

test('D10: after the isolation both goals are met', async () => {
  const taint = 'node-role.kubernetes.io/control-plane'
  const objects = homelab().map(
    (object): KubeObject =>
      object.kind === 'Node' && object.metadata.name === 'talos00'
        ? { ...object, spec: { taints: [{ key: taint, effect: 'NoSchedule' }] } }
        : object,
  )
  const before = pictureOf(objects)
  const [, useTalos03] = policyGoals(before)
  const isolation = {
    nodes: ['talos00'],
    taint,
    coreNamespaces: defaultCoreNamespaces,
    exceptions: [],
    keda: 'evict',
    includeUnmanaged: true,
  } as const
  const policy = policyWithDefaults({
    name: 'talos',
    objective: 'moves',
    isolation,
    goals: useTalos03 === undefined ? [] : [useTalos03],
  })
  const input = { state: before.state, policy, settings: before.scheduler, nowMs }
  const plan = await makePlan(input, session.solve, new AbortController().signal)
  expect(plan.moves).toHaveLength(23)
  const to = new Map(plan.moves.map(move => [move.pod.uid, move.to]))
  const moved = objects.map((object): KubeObject => {
    const nodeName = object.kind === 'Pod' ? to.get(object.metadata.uid ?? '') : undefined
    const spec = typeof object['spec'] === 'object' ? object['spec'] : {}
    return nodeName === undefined ? object : { ...object, spec: { ...spec, nodeName } }
  })
  const picture = pictureOf(moved)
  const control = row(picture, 'talos00')
  expect(cells(control).filter((_, at) => at !== 1 && at !== 3)).toEqual(['32%', '26%', 36])
  expect([
    cpuExactOf(control.cpu.requested, control.cpu.allocatable),
    memoryExactOf(control.memory.requested, control.memory.allocatable),
  ]).toEqual(['2555m of 7950m', '4148Mi of 15500Mi'])
  expect(goalRows(picture).map(({ name, met }) => [name, met])).toEqual([
    ['cp-light', true],
    ['use-talos03', true],
  ])
  expect(overviewOf(picture, berlin).verdict).toMatchObject({ level: 'good', sentences: [{ text: 'All 2 goals are met.' }] })
})

describe('D19: who can sleep', () => {
  const scaler = (name: string, spec: object) => ({
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name, namespace: 'catalyst-llm' },
    spec: { scaleTargetRef: { name }, ...spec },
  })
  const ollamaGpu = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'ollama-gpu', namespace: 'catalyst-llm', uid: 'ollama-gpu' },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: 'x' } },
      template: { metadata: { labels: { app: 'x' } }, spec: { containers: [] } },
    },
  }
  const text = (objects: readonly KubeObject[]) => overviewOf(pictureOf(objects), berlin).scaleToZero.sentence.text

  test('of the example as its files stand', () => expect(text(labelled())).toBe('5 workloads can sleep, 0 asleep'))

  test('with the two tiers of the hybrid scenario', () => {
    const tiers = [ollamaGpu, scaler('ollama', { minReplicaCount: 0 }), scaler('ollama-gpu', {})]
    expect(text([...labelled(), ...tiers])).toBe('6 workloads can sleep, 1 asleep')
  })

  test('not those that keep a replica, nor those whose target is gone, and none twice', () => {
    const others = [
      scaler('ollama', { minReplicaCount: 1 }),
      scaler('gone', { minReplicaCount: 0 }),
      {
        ...scaler('again', {}),
        metadata: { name: 'again', namespace: 'media' },
        spec: { scaleTargetRef: { name: 'sonarr' }, minReplicaCount: 2, idleReplicaCount: 0 },
      },
    ]
    expect(text([...labelled(), ...others])).toBe('5 workloads can sleep, 0 asleep')
  })
})

describe('D21: metrics are silent', () => {
  const at = (forMs: number) => sourceOf({ name: 'metrics', lastMs: nowMs - forMs, nowMs })
  const measuredAt = '2025-12-19T13:00:00Z'
  const measured = labelled().map(object => (object.kind === 'NodeMetrics' ? { ...object, timestamp: measuredAt } : object))

  test('for 3m20s: figures stay, with their time', () => {
    const source = at(200_000)
    expect([source.state, source.because]).toEqual(['stale', 'metrics.k8s.io has not answered for 3m20s'])
    const { used, usedAt } = row(pictureOf(measured, { sources: [source] }), 'talos00').cpu
    expect([used, usedAt]).toEqual([4540, measuredAt])
    expect(asOf(timeOfDay(Date.parse(usedAt ?? ''), 'Europe/Berlin', nowMs))).toBe('as of 14:00:00')
  })

  test('after 20 minutes: unknown; goals on requests go on', () => {
    const picture = pictureOf(measured, { sources: [at(20 * 60_000 + 1)] })
    expect(row(picture, 'talos00').cpu).toMatchObject({ used: null, usedAt: null, requested: 7425 })
    expect(cells(row(picture, 'talos00'))).toEqual(['93%', '–', '82%', '–', 59])
    expect(goalRows(picture).map(({ because }) => because.text)).toEqual(['23.4 points over', '25.9 points short'])
  })

  test('one node was never measured: its goal on use is unknown, never met', () => {
    const goals = [{ name: 'cool', nodes: ['talos00', 'talos01'], resource: 'cpu', stat: 'usage', max: 90 }]
    const without = withoutPolicies(measured).filter(
      ({ kind, metadata }) => kind !== 'NodeMetrics' || metadata.name !== 'talos01',
    )
    const picture = pictureOf([...without, policyObject({ goals })])
    const [goal] = goalRows(picture)
    expect([goal?.met, goal?.now, goal?.because.text]).toEqual([false, null, 'unknown: nothing measured the use of talos01'])
    expect(texts(overviewOf(picture, berlin))).toEqual(['Nothing can be said about cool: nothing measured the use of talos01.'])
  })
})

function notReady(node: KubeObject, seconds: number): KubeObject {
  const status = typeof node['status'] === 'object' ? node['status'] : {}
  const lastTransitionTime = new Date(nowMs - seconds * 1_000).toISOString()
  return { ...node, status: { ...status, conditions: [{ type: 'Ready', status: 'False', lastTransitionTime }] } }
}

describe('D33: nodes in trouble', () => {
  test('cordoned and losing pods: draining', () => {
    const drained = labelled().map((object): KubeObject => {
      if (object.kind === 'Node' && object.metadata.name === 'talos01') return { ...object, spec: { unschedulable: true } }
      const spec = object['spec']
      const isThere = typeof spec === 'object' && spec !== null && 'nodeName' in spec && spec.nodeName === 'talos01'
      return isThere ? { ...object, metadata: { ...object.metadata, deletionTimestamp: '2025-12-19T13:03:00Z' } } : object
    })
    const found = row(pictureOf(drained), 'talos01')
    expect([found.cordoned, found.draining, nodeStateText(found, nowMs)]).toEqual([true, true, 'Draining'])
  })

  test('cordoned alone: cordoned', () => {
    const cordoned = labelled().map(object =>
      object.kind === 'Node' && object.metadata.name === 'talos01' ? { ...object, spec: { unschedulable: true } } : object,
    )
    expect(nodeStateText(row(pictureOf(cordoned), 'talos01'), nowMs)).toBe('Cordoned')
  })

  test('not ready for 95s: goals that name it are unknown', () => {
    const goals = [{ name: 'even', nodes: ['talos01'], resource: 'cpu', stat: 'requests', max: 90 }]
    const objects = [...withoutPolicies(labelled()), policyObject({ goals })].map(object =>
      object.kind === 'Node' && object.metadata.name === 'talos01' ? notReady(object, 95) : object,
    )
    const picture = pictureOf(objects)
    expect(nodeStateText(row(picture, 'talos01'), nowMs)).toBe('Not ready for 95s')
    expect(goalRows(picture).map(({ met, because }) => [met, because.text])).toEqual([[false, 'unknown: talos01 is not ready']])
  })
})

test('the API server has not answered for two minutes', () => {
  const sources = [sourceOf({ name: 'api', lastMs: nowMs - 120_000, nowMs })]
  const overview = overviewOf(pictureOf(labelled(), { sources }), berlin)
  expect([overview.verdict.level, ...texts(overview)]).toEqual([
    'unknown',
    'The API server has not answered for 2m. What follows is from 14:01:20.',
  ])
  expect(overview.nodes).toHaveLength(4)
})
