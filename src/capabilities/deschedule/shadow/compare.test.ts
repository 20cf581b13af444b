// Two deschedulers, cycle by cycle: agreements, differences with their reasons, and what a change of the cluster explains.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { node, object, type PodOptions, pod } from '#cluster/testdata/objects.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { formatTime } from '#kube/time/time.ts'
import { messyCluster } from '../compat/strategies/testdata/messy-cluster.ts'
import { oneCycle } from '../compat/strategies/testdata/one-cycle.ts'
import { policyCases, policyText } from '../compat/strategies/testdata/policies.ts'
import { type CycleMaterial, compareCycle, type Look } from './compare.ts'
import { readShadowedPolicy } from './read-shadowed-policy.ts'
import type { ShadowRow } from './shadow-row.ts'
import { isDifferent, shadowSummary } from './summary.ts'
import type { TheirAttempt } from './their-attempt.ts'

const nowMs = Date.UTC(2026, 10, 1)
const hourMs = 3_600_000
const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web' }

interface Given {
  readonly policy?: string
  readonly before: readonly KubeObject[]
  /** Default: there is one look only. */
  readonly after?: readonly KubeObject[]
  readonly theirs?: readonly TheirAttempt[]
  readonly isDryRun?: boolean
  readonly stays?: CycleMaterial['stays']
}

const look = (objects: readonly KubeObject[], atMs: number): Look => ({ state: buildClusterState(objects).state, atMs })
const policyOf = (text: string) => readShadowedPolicy(text, 'policy.yaml', []).policy

function compared({ policy = older, before, after, theirs = [], isDryRun = false, stays }: Given) {
  return compareCycle(
    {
      before: look(before, nowMs),
      sinceMs: nowMs,
      ...(after !== undefined && { after: look(after, nowMs + 10_000) }),
      attempts: theirs,
      isDryRun,
      ...(stays !== undefined && { stays }),
    },
    policyOf(policy),
  )
}

const rowsOf = (given: Given) => compared(given).rows
/** Pod, verdict, why. */
const short = (rows: readonly ShadowRow[]) =>
  rows.map(({ pod, verdict, why }) => (why === undefined ? [pod, verdict] : [pod, verdict, why]))

const older = policyText({ strategy: 'PodLifeTime', name: '', args: { maxPodLifeTimeSeconds: 3_600 } })
const olderWith = (evictor: object, limits: object = {}) =>
  policyText({
    strategy: 'PodLifeTime',
    name: '',
    args: { maxPodLifeTimeSeconds: 3_600 },
    evictor: { ...evictor },
    limits: { ...limits },
  })

function aged(key: string, hours: number, options: PodOptions = {}): Pod {
  const made = pod(key, { node: 'n1', owner, ...options })
  return { ...made, metadata: { ...made.metadata, creationTimestamp: formatTime(nowMs - hours * hourMs) } }
}

const nodes = [node('n1'), node('n2')]
const evicted = (name: string): TheirAttempt => ({ pod: name, uid: `uid-${name}`, node: 'n1', strategy: 'PodLifeTime' })

test('both evict it: agreed, with node and strategy of both sides', () => {
  const [row] = rowsOf({ before: [...nodes, aged('shop/web-1', 2)], theirs: [evicted('shop/web-1')] })
  expect(row).toEqual({
    pod: 'shop/web-1',
    node: 'n1',
    verdict: 'agreed',
    ours: { profile: 'side', strategy: 'PodLifeTime' },
    theirs: { strategy: 'PodLifeTime' },
  })
})

test.each<[string, Given, readonly unknown[]]>([
  ['ours alone', { before: [...nodes, aged('shop/web-1', 2)] }, [['shop/web-1', 'ours-only', 'upstream says nothing of it']]],
  [
    'ours alone, and upstream says why not',
    { before: [...nodes, aged('shop/web-1', 2)], stays: new Map([['shop/web-1', ['pod is a static pod']]]) },
    [['shop/web-1', 'ours-only', 'upstream: pod is a static pod']],
  ],
  [
    'ours alone, and upstream was at its limit',
    {
      policy: olderWith({}, { maxNoOfPodsToEvictTotal: 1 }),
      before: [...nodes, aged('shop/web-1', 9), aged('shop/web-2', 2)],
      theirs: [evicted('shop/web-2')],
    },
    [
      ['shop/web-1', 'ours-only', 'upstream had its 1 of a cycle'],
      ['shop/web-2', 'theirs-only', 'PodLifeTime: maximum number of evicted pods per a descheduling cycle reached'],
    ],
  ],
  [
    'ours alone: upstream is known to see no budgets',
    {
      policy: olderWith({ podProtections: { extraEnabled: ['PodsWithoutPDB'] } }),
      before: [
        ...nodes,
        aged('shop/web-1', 2),
        object('policy/v1', 'PodDisruptionBudget', 'shop/web', {
          spec: { maxUnavailable: 1, selector: {} },
          status: { disruptionsAllowed: 1, currentHealthy: 1, desiredHealthy: 0, expectedPods: 1, observedGeneration: 1 },
        }),
      ],
    },
    [['shop/web-1', 'ours-only', 'upstream up to v0.36.0 finds no budget of any pod (issue 1882), and so protects this one']],
  ],
  [
    'theirs alone: our evictor refuses',
    {
      before: [...nodes, { ...aged('shop/web-1', 2, { volumes: [{ name: 'v', emptyDir: {} }] }) }],
      theirs: [evicted('shop/web-1')],
    },
    [['shop/web-1', 'theirs-only', 'pod has local storage and is protected against eviction']],
  ],
  [
    'theirs alone: our strategy says why not',
    { before: [...nodes, aged('shop/web-1', 0.5)], theirs: [evicted('shop/web-1')] },
    [['shop/web-1', 'theirs-only', 'PodLifeTime: it is not older than 3600 s']],
  ],
  [
    'theirs alone: a strategy that no profile has',
    { before: [...nodes, aged('shop/web-1', 0.5)], theirs: [{ ...evicted('shop/web-1'), strategy: 'RemoveDuplicates' }] },
    [['shop/web-1', 'theirs-only', 'no profile of the policy runs RemoveDuplicates']],
  ],
  [
    'theirs alone: ours has too few nodes',
    { before: [node('n1'), aged('shop/web-1', 2)], theirs: [evicted('shop/web-1')] },
    [['shop/web-1', 'theirs-only', 'ours did nothing: requires >=2 nodes']],
  ],
  [
    'upstream was refused, and ours would have been',
    { before: [...nodes, aged('shop/web-1', 2)], theirs: [{ pod: 'shop/web-1', failure: 'Cannot evict pod' }] },
    [['shop/web-1', 'agreed', 'the server refused: Cannot evict pod']],
  ],
  [
    'an earlier refusal and a later success are a success',
    { before: [...nodes, aged('shop/web-1', 2)], theirs: [{ pod: 'shop/web-1', failure: 'no' }, evicted('shop/web-1')] },
    [['shop/web-1', 'agreed']],
  ],
  [
    'another strategy',
    { before: [...nodes, aged('shop/web-1', 2)], theirs: [{ ...evicted('shop/web-1'), strategy: 'RemoveFailedPods' }] },
    [['shop/web-1', 'agreed', 'another strategy took it']],
  ],
])('%s', (_, given, expected) => {
  expect(short(rowsOf(given))).toEqual(expected)
})

test('a strategy that ends at once says why', () => {
  const policy = policyText({
    strategy: 'LowNodeUtilization',
    name: '',
    args: { thresholds: { cpu: 1 }, targetThresholds: { cpu: 50 } },
  })
  const theirs = [{ ...evicted('shop/web-1'), strategy: 'LowNodeUtilization' }]
  const busy = [aged('shop/web-1', 2, { cpu: '1' }), aged('shop/web-2', 2, { cpu: '1', node: 'n2' })]
  const [row] = rowsOf({ policy, before: [...nodes, ...busy], theirs })
  expect(row).toMatchObject({ verdict: 'theirs-only', why: expect.stringMatching(/underutilized/) })
})

describe('budgets', () => {
  const budget = (disruptionsAllowed: number): KubeObject => ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { namespace: 'shop', name: 'web', generation: 1 },
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
    status: { disruptionsAllowed, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2, observedGeneration: 1 },
  })
  const web = (name: string, hours: number) => aged(name, hours, { labels: { app: 'web' } })

  test('what the server would refuse ours is no difference: upstream leaves no trace of a refusal', () => {
    const before = [...nodes, web('shop/web-1', 3), web('shop/web-2', 2), budget(1)]
    expect(short(rowsOf({ before, theirs: [evicted('shop/web-1')] }))).toEqual([['shop/web-1', 'agreed']])
  })

  test('a dry run knows no budgets', () => {
    const before = [...nodes, web('shop/web-1', 3), web('shop/web-2', 2), budget(0)]
    const theirs = [evicted('shop/web-1'), evicted('shop/web-2')]
    expect(short(rowsOf({ before, theirs, isDryRun: true }))).toEqual([
      ['shop/web-1', 'agreed'],
      ['shop/web-2', 'agreed'],
    ])
  })

  test('the second look takes what the budget allowed before their evictions, and an edited budget as it is', () => {
    const before = [...nodes, web('shop/web-1', 3), budget(1)]
    const theirs = [evicted('shop/web-1')]
    expect(short(rowsOf({ before, after: [...nodes, budget(0)], theirs }))).toEqual([['shop/web-1', 'agreed']])
    const edited = { ...budget(0), metadata: { namespace: 'shop', name: 'web', generation: 2 } }
    expect(short(rowsOf({ before, after: [...nodes, edited], theirs }))).toEqual([['shop/web-1', 'agreed']])
  })
})

describe('between two looks', () => {
  test('what came in place of the evicted is no change', () => {
    const before = [...nodes, aged('shop/web-1', 2)]
    const replacement = aged('shop/web-9', -0.001)
    expect(short(rowsOf({ before, after: [...nodes, replacement], theirs: [evicted('shop/web-1')] }))).toEqual([
      ['shop/web-1', 'agreed'],
    ])
  })

  test.each<[string, Given, readonly unknown[]]>([
    [
      'a pod that left by itself is drift',
      { before: [...nodes, aged('shop/web-1', 2)], after: nodes },
      [['shop/web-1', 'drift', 'the pod was there at the first look only']],
    ],
    [
      'a pod that is old enough at the second look only is drift',
      { before: [...nodes, aged('shop/web-1', 1)], after: [...nodes, aged('shop/web-1', 1)] },
      [['shop/web-1', 'drift', 'ours would evict it at the second look only']],
    ],
    [
      'a pod that upstream found old enough between them is agreed',
      { before: [...nodes, aged('shop/web-1', 1)], after: nodes, theirs: [evicted('shop/web-1')] },
      [['shop/web-1', 'agreed', 'at one of two looks only']],
    ],
    [
      'a pod that came and went is drift',
      { before: nodes, after: nodes, theirs: [evicted('shop/web-7')] },
      [['shop/web-7', 'drift', 'no look showed the pod: it came and went between them']],
    ],
    [
      'another pod of the name is drift',
      { before: [...nodes, aged('shop/web-1', 2)], after: nodes, theirs: [{ ...evicted('shop/web-1'), uid: 'other' }] },
      [['shop/web-1', 'drift', 'another pod of this name, that no look showed']],
    ],
    [
      'a node that went with its pods does no harm',
      { before: [...nodes, node('n3'), aged('shop/web-1', 2)], after: [node('n2'), node('n3')], theirs: [evicted('shop/web-1')] },
      [['shop/web-1', 'agreed', 'at one of two looks only']],
    ],
    [
      'what ours would evict at both looks is a difference, whatever else changed',
      {
        before: [...nodes, aged('shop/web-1', 2)],
        after: [...nodes, node('n3'), aged('shop/web-1', 2), aged('shop/new-1', 0.1)],
      },
      [['shop/web-1', 'ours-only', 'upstream says nothing of it']],
    ],
  ])('%s', (_, given, expected) => {
    expect(short(rowsOf(given))).toEqual(expected)
  })
})

test('the first cycle of a dry run is no difference: upstream may have seen half of the cluster', () => {
  const before = look([...nodes, aged('shop/web-1', 2), aged('shop/web-2', 2)], nowMs)
  const attempts = [evicted('shop/web-2')]
  const cycle = compareCycle({ before, sinceMs: nowMs, attempts, isDryRun: true, isHalfSeen: true }, policyOf(older))
  expect(cycle.rows.map(({ pod: name, verdict }) => [name, verdict])).toEqual([
    ['shop/web-1', 'drift'],
    ['shop/web-2', 'agreed'],
  ])
})

describe('likes', () => {
  const taints = policyText({
    strategy: 'RemovePodsViolatingNodeTaints',
    name: '',
    args: {},
    limits: { maxNoOfPodsToEvictTotal: 1 },
  })
  const tainted = [node('n1', { taints: [{ key: 'dedicated', effect: 'NoSchedule' }] }), node('n2')]
  const theirs = (name: string) => [{ ...evicted(name), strategy: 'RemovePodsViolatingNodeTaints' }]

  test('ours evicts one pod, upstream its like', () => {
    const before = [...tainted, aged('shop/web-1', 2), aged('shop/web-2', 2)]
    const why = (who: string, pod: string) => `${who} takes ${pod} instead: nothing in the policy puts one before the other`
    expect(short(rowsOf({ policy: taints, before, theirs: theirs('shop/web-2') }))).toEqual([
      ['shop/web-1', 'alike', why('upstream', 'shop/web-2')],
      ['shop/web-2', 'alike', why('ours', 'shop/web-1')],
    ])
  })

  test('on another node there is no like', () => {
    const third = node('n3', { taints: [{ key: 'dedicated', effect: 'NoSchedule' }] })
    const before = [...tainted, third, aged('shop/web-1', 2), aged('shop/web-2', 2, { node: 'n3' })]
    expect(rowsOf({ policy: taints, before, theirs: theirs('shop/web-2') }).map(({ verdict }) => verdict)).toEqual([
      'ours-only',
      'theirs-only',
    ])
  })

  test.each<[string, PodOptions, string]>([
    ['where priority counts, of the same', {}, 'alike'],
    ['where priority counts, of another', { priority: 7 }, 'theirs-only'],
    ['where quality of service counts, of another', { memory: '1Gi' }, 'theirs-only'],
  ])('%s', (_, options, verdict) => {
    const args = { thresholds: { pods: 5 }, targetThresholds: { pods: 15 }, evictionLimits: { node: 1 } }
    const policy = policyText({ strategy: 'LowNodeUtilization', name: '', args })
    const two = [node('n1', { pods: '10' }), node('n2', { pods: '10' })]
    const before = [...two, aged('shop/web-1', 2), aged('shop/web-2', 2, options)]
    const attempts = [{ ...evicted('shop/web-2'), strategy: 'LowNodeUtilization' }]
    expect(rowsOf({ policy, before, theirs: attempts }).map(row => row.verdict)).toContain(verdict)
  })

  test('where age decides there are no likes', () => {
    const before = [...nodes, aged('shop/web-1', 9), aged('shop/web-2', 2)]
    const given = { policy: olderWith({}, { maxNoOfPodsToEvictTotal: 1 }), before, theirs: [evicted('shop/web-2')] }
    expect(rowsOf(given).map(({ verdict }) => verdict)).toEqual(['ours-only', 'theirs-only'])
  })
})

describe('laws', () => {
  const seeds = fc.integer({ min: 1, max: 1_000_000 })
  const cases = fc.constantFrom(...policyCases)

  /** What ours does live, as another descheduler that is ours would leave it behind. */
  function attemptsOf(objects: readonly KubeObject[], policy: string): readonly TheirAttempt[] {
    return oneCycle(objects, policy, { nowMs }).report.entries.flatMap(({ wish, result }) =>
      result === 'success' ? [{ pod: wish.pod.key, uid: wish.pod.uid, strategy: wish.strategy }] : [],
    )
  }

  test('a descheduler that decides as ours does agrees in everything, with one look and with two', () => {
    fc.assert(
      fc.property(seeds, cases, (seed, one) => {
        const policy = policyText(one)
        const before = messyCluster(seed, nowMs)
        const theirs = attemptsOf(before, policy)
        const gone = new Set(theirs.map(attempt => attempt.pod))
        const after = before.filter(({ kind, metadata }) => kind !== 'Pod' || !gone.has(`${metadata.namespace}/${metadata.name}`))
        for (const given of [{ before }, { before, after }]) {
          const { rows } = compared({ policy, theirs, ...given })
          expect(rows.filter(({ verdict }) => verdict !== 'agreed')).toEqual([])
          expect(rows.map(row => row.pod)).toEqual([...gone].sort())
        }
      }),
      { numRuns: 60 },
    )
  })

  test('every pod that either evicts has one row, a verdict by who evicts it, and a reason where they differ', () => {
    fc.assert(
      fc.property(seeds, seeds, cases, fc.nat(4), (seed, other, one, left) => {
        const policy = policyText(one)
        const before = messyCluster(seed, nowMs)
        const own = attemptsOf(before, policy)
        // They leave some of ours, and evict some pods of their own choice, of which some nobody knows.
        const chosen = messyCluster(other, nowMs)
          .filter(({ kind }) => kind === 'Pod')
          .slice(0, 3)
        const strangers = chosen.map(({ metadata }) => ({
          pod: `${metadata.namespace}/${metadata.name}`,
          strategy: one.strategy,
        }))
        const theirs = [...own.slice(left), ...strangers]
        const { rows } = compared({ policy, before, theirs })
        const everybody = new Set([...own, ...theirs].map(attempt => attempt.pod))
        expect(rows.map(row => row.pod)).toEqual([...everybody].sort())
        for (const { verdict, ours, theirs: side, why } of rows) {
          expect(ours !== undefined || side !== undefined).toBe(true)
          if (verdict === 'alike') expect(ours === undefined).toBe(side !== undefined)
          if (verdict === 'agreed') expect([ours !== undefined, side !== undefined]).toEqual([true, true])
          if (verdict === 'ours-only') expect(side).toBeUndefined()
          if (verdict !== 'agreed') expect(why).toMatch(/\S/)
        }
        const { pods, strategies } = shadowSummary([{ atMs: nowMs, rows }])
        expect(Object.values(pods).reduce((sum, count) => sum + count, 0)).toBe(rows.length)
        const sums = Object.values(strategies).map(counts => Object.values(counts).reduce((sum, count) => sum + count, 0))
        expect(sums.reduce((sum, count) => sum + count, 0)).toBe(rows.length)
      }),
      { numRuns: 60 },
    )
  })

  test('a difference is seen at both looks: a second look may only take differences away', () => {
    fc.assert(
      fc.property(seeds, cases, fc.nat(20), fc.nat(3), (seed, one, leaving, left) => {
        const policy = policyText(one)
        const before = messyCluster(seed, nowMs)
        const theirs = attemptsOf(before, policy).slice(left)
        const pods = before.filter(({ kind }) => kind === 'Pod')
        const after = before.filter(object => object !== pods[leaving])
        const names = (given: Given) =>
          new Set(rowsOf(given).flatMap(({ pod: name, verdict }) => (verdict === 'ours-only' ? [name] : [])))
        const withOne = names({ policy, before, theirs })
        for (const name of names({ policy, before, after, theirs })) expect(withOne.has(name)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })
})

test('sums are by strategy and over cycles; a difference without an excuse counts', () => {
  const different = compared({ before: [...nodes, aged('shop/web-1', 2)] })
  const agreed = compared({ before: [...nodes, aged('shop/web-1', 2)], theirs: [evicted('shop/web-1')] })
  const drifted = compared({ before: [...nodes, aged('shop/web-1', 2)], after: nodes })
  const summary = shadowSummary([different, agreed, drifted])
  const counts = { agreed: 1, alike: 0, 'ours-only': 1, 'theirs-only': 0, drift: 1 }
  expect(summary).toEqual({ cycles: 3, pods: counts, strategies: { PodLifeTime: counts } })
  expect(isDifferent(summary)).toBe(true)
  expect(isDifferent(shadowSummary([agreed, drifted]))).toBe(false)
})
