import fc from 'fast-check'
import { expect, test } from 'vitest'
import { buildClusterState, type PodState, podState } from '#cluster/cluster-state.ts'
import { node, pod } from '#cluster/testdata/objects.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import type { EvictionAnswer, Evictor, StrategyMaker, StrategyView } from './contract.ts'
import { type CycleInput, type CycleReport, type CycleStep, runCycle } from './cycle.ts'
import type { EvictionOutcome } from './eviction.ts'
import { BackgroundEvictions } from './eviction-in-background.ts'
import type { DeschedulerPolicy, StrategyArgs } from './policy/args.ts'
import { policyRefusal, readPolicy } from './policy/read-policy.ts'
import { strategyMaker } from './strategies/strategies.ts'
import { StrategyError } from './strategy-error.ts'

const now = Date.UTC(2026, 0, 1)
const header = 'apiVersion: descheduler/v1alpha2\nkind: DeschedulerPolicy\n'

function policyOf(text: string): DeschedulerPolicy {
  const reading = readPolicy(header + text, { file: 'policy.yaml', priorityOf: () => undefined })
  if (!reading.ok) throw new Error(policyRefusal(reading.problems))
  return reading.policy
}

/** A profile that runs `deschedule` and `balance` plugins, which are told apart by their names alone. */
function profile(name: string, deschedule: readonly string[], balance: readonly string[] = []): string {
  const args: Readonly<Record<string, string>> = {
    PodLifeTime: '{maxPodLifeTimeSeconds: 0}',
    HighNodeUtilization: '{thresholds: {cpu: 1}}',
  }
  const configs = [...deschedule, ...balance].map(plugin => `{name: ${plugin}, args: ${args[plugin] ?? '{}'}}`)
  const plugins = `{deschedule: {enabled: [${deschedule.join()}]}, balance: {enabled: [${balance.join()}]}}`
  return `{name: ${name}, pluginConfig: [${configs.join()}], plugins: ${plugins}}`
}

/** A pod of a ReplicaSet. */
function owned(key: string, on: string | undefined, options: { readonly uid?: string; readonly phase?: string } = {}): Pod {
  const made = pod(key, { ...(on !== undefined && { node: on }), ...(options.phase && { status: { phase: options.phase } }) })
  const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'rs' }]
  return { ...made, metadata: { ...made.metadata, ownerReferences, ...(options.uid !== undefined && { uid: options.uid }) } }
}

/** As `owned`, to be evicted by request alone. */
function asks(key: string, on: string): Pod {
  const made = owned(key, on)
  const annotations = { 'descheduler.alpha.kubernetes.io/request-evict-only': '' }
  return { ...made, metadata: { ...made.metadata, annotations } }
}

/** Wishes every pod of every node that both filters pass, as most strategies do. */
const everyPod: StrategyMaker = function* (args: StrategyArgs, view: StrategyView) {
  for (const { name } of view.nodes) {
    for (const one of view.activePods(name)) {
      if (view.evictor.filter(one).length > 0 || view.evictor.preEvictionFilter(one).length > 0) continue
      const answer: EvictionAnswer = yield { pod: one, strategy: args.plugin, profile: view.profile, reason: 'because' }
      if (answer.kind === 'node-limit') break
      if (answer.kind === 'total-limit') return
    }
  }
}

interface Given extends Partial<Omit<CycleInput, 'policy' | 'state'>> {
  readonly policy: string
  readonly objects: readonly KubeObject[]
  readonly answer?: (wish: PodState) => EvictionOutcome
}

interface Ran {
  readonly report: CycleReport
  readonly steps: readonly CycleStep[]
  readonly evicted: readonly string[]
  readonly said: readonly string[]
}

function run({ policy, objects, answer = () => ({ kind: 'evicted' }), ...changes }: Given): Ran {
  const said: string[] = []
  const cycle = runCycle({
    policy: policyOf(policy),
    state: buildClusterState(objects).state,
    strategies: everyPod,
    nowMs: now,
    isDryRun: false,
    verbosity: 4,
    tell: (level, message, fields) => said.push(`${level} ${message} ${JSON.stringify(fields)}`),
    ...changes,
  })
  const steps: CycleStep[] = []
  let next = cycle.next()
  while (next.done !== true) {
    steps.push(next.value)
    next = cycle.next(next.value.kind === 'evict' ? answer(next.value.wish.pod) : undefined)
  }
  const evicted = next.value.entries.filter(({ result }) => result === 'success').map(({ wish }) => wish.pod.key)
  return { report: next.value, steps, evicted, said }
}

const twoNodes = [node('a'), node('b')]
const one = (deschedule: readonly string[], balance: readonly string[] = []) => `profiles: [${profile('p', deschedule, balance)}]`

test('all deschedule plugins of all profiles run before the first balance plugin, in the order of the policy', () => {
  const first = profile('one', ['RemoveFailedPods', 'PodLifeTime'], ['RemoveDuplicates'])
  const second = profile('two', ['PodLifeTime'], ['HighNodeUtilization', 'RemoveDuplicates'])
  const { steps } = run({ policy: `profiles: [${first}, ${second}]`, objects: twoNodes })
  const begun = steps.flatMap(step =>
    step.kind === 'begin' ? [`${step.plugin.point} ${step.plugin.profile}/${step.plugin.strategy}`] : [],
  )
  expect(begun).toEqual([
    'deschedule one/RemoveFailedPods',
    'deschedule one/PodLifeTime',
    'deschedule two/PodLifeTime',
    'balance one/RemoveDuplicates',
    'balance two/HighNodeUtilization',
    'balance two/RemoveDuplicates',
  ])
})

test('plugins run in any order that a policy has', () => {
  const names = fc.shuffledSubarray(['RemoveFailedPods', 'PodLifeTime', 'RemovePodsViolatingNodeTaints'])
  const profiles = fc.array(names, { maxLength: 3 })
  fc.assert(
    fc.property(profiles, lists => {
      const policy = `profiles: [${lists.map((list, index) => profile(`p${index}`, list)).join()}]`
      const { steps } = run({ policy, objects: twoNodes })
      const begun = steps.flatMap(step => (step.kind === 'begin' ? [`${step.plugin.profile} ${step.plugin.strategy}`] : []))
      expect(begun).toEqual(lists.flatMap((list, index) => list.map(plugin => `p${index} ${plugin}`)))
    }),
    { numRuns: 30 },
  )
})

const notReady = (name: string, labels: Readonly<Record<string, string>> = {}): KubeObject => {
  const made = node(name, { labels })
  return { ...made, status: { ...made.status, conditions: [{ type: 'Ready', status: 'Unknown' }] } }
}

test.each<[string, readonly KubeObject[], string, number | undefined]>([
  ['no node', [], '', 0],
  ['one node', [node('a')], '', 1],
  ['one that is ready', [node('a'), notReady('b')], '', 1],
  ['one that the policy picks', [node('a', { labels: { pool: 'x' } }), node('b')], 'nodeSelector: pool=x\n', 1],
  ['two', twoNodes, '', undefined],
  ['two, of which one is cordoned', [node('a'), node('b', { unschedulable: true })], '', undefined],
])('%s: a cycle needs two ready nodes', (_, nodes, selector, found) => {
  const { report, said, steps } = run({ policy: selector + one(['PodLifeTime']), objects: nodes })
  expect(report.skipped).toBe(found === undefined ? undefined : 'requires >=2 nodes')
  expect(steps.length > 0).toBe(found === undefined)
  if (found !== undefined) expect(said).toEqual([`0 Skipping descheduling cycle: requires >=2 nodes {"found":${found}}`])
})

test('a node with other conditions and none that says whether it is ready counts as ready', () => {
  const made = node('b')
  const b: KubeObject = { ...made, status: { ...made.status, conditions: [{ type: 'DiskPressure', status: 'False' }] } }
  expect(run({ policy: one(['PodLifeTime']), objects: [node('a'), b] }).report.nodes).toBe(2)
})

test('no profiles, no pods: nothing happens', () => {
  expect(run({ policy: 'profiles: []', objects: twoNodes }).report).toMatchObject({ evicted: 0, errors: [], nodes: 2 })
  expect(run({ policy: one(['PodLifeTime']), objects: twoNodes }).report.evicted).toBe(0)
})

test('a plugin that fails ends alone, with what it evicted before', () => {
  const failing: StrategyMaker = function* (args, view) {
    if (args.plugin === 'PodLifeTime') {
      for (const pods of [view.activePods('a')]) {
        for (const first of pods.slice(0, 1)) yield { pod: first, strategy: args.plugin, profile: view.profile, reason: '' }
      }
      throw new StrategyError('metrics client not initialized')
    }
    yield* everyPod(args, view)
  }
  const objects = [...twoNodes, owned('shop/web-1', 'a'), owned('shop/web-2', 'b')]
  const { report, steps, evicted } = run({ policy: one(['PodLifeTime', 'RemoveFailedPods']), objects, strategies: failing })
  const error = 'plugin "PodLifeTime" finished with error: metrics client not initialized'
  expect(report.errors).toEqual([{ point: 'deschedule', profile: 'p', strategy: 'PodLifeTime', error }])
  expect(evicted).toEqual(['shop/web-1', 'shop/web-2'])
  expect(steps.filter(({ kind }) => kind === 'end')).toMatchObject([{ evicted: 1, error }, { evicted: 1 }])
})

test('a maker of strategies that fails fails its plugin alone', () => {
  const failing: StrategyMaker = (args, view) => {
    if (args.plugin === 'PodLifeTime') throw new TypeError('no')
    return everyPod(args, view)
  }
  const objects = [...twoNodes, owned('shop/web-1', 'a')]
  const { report } = run({ policy: one(['PodLifeTime', 'RemoveFailedPods']), objects, strategies: failing })
  expect(report).toMatchObject({ evicted: 1, errors: [{ strategy: 'PodLifeTime' }] })
})

test('live, an evicted pod is terminating for what follows: refused by the evictor and still active', () => {
  const seen: unknown[] = []
  const looking: StrategyMaker = function* (args, view) {
    yield* everyPod(args, view)
    seen.push(view.activePods('a').map(({ key, isTerminating }) => [key, isTerminating]))
  }
  const objects = [...twoNodes, owned('shop/web-1', 'a')]
  const { report } = run({ policy: one(['PodLifeTime', 'RemoveFailedPods']), objects, strategies: looking })
  expect(report.entries).toHaveLength(1)
  expect(seen).toEqual([[['shop/web-1', true]], [['shop/web-1', true]]])
})

test('in a dry run an evicted pod is gone for what follows', () => {
  const seen: unknown[] = []
  const looking: StrategyMaker = function* (args, view) {
    yield* everyPod(args, view)
    seen.push(view.allPods('a').map(({ key }) => key))
  }
  const objects = [...twoNodes, owned('shop/web-1', 'a'), owned('shop/done', 'a', { phase: 'Failed' })]
  const { report } = run({ policy: one(['PodLifeTime', 'RemoveFailedPods']), objects, strategies: looking, isDryRun: true })
  expect(report.evicted).toBe(1)
  expect(seen).toEqual([['shop/done'], ['shop/done']])
})

test('a failed eviction leaves the pod as it is, and the others are asked all the same', () => {
  const objects = [...twoNodes, owned('shop/web-1', 'a'), owned('shop/web-2', 'a'), owned('shop/web-3', 'b')]
  const { report, evicted } = run({
    policy: one(['PodLifeTime', 'RemoveFailedPods']),
    objects,
    answer: ({ name }) =>
      name === 'web-2' ? { kind: 'failed', why: 'too-many-requests', message: 'a budget says no' } : { kind: 'evicted' },
  })
  expect(evicted).toEqual(['shop/web-1', 'shop/web-3'])
  expect([...report.totals]).toEqual([
    ['success', 2],
    ['error', 2],
  ])
  expect(report.entries.filter(({ result }) => result === 'error').map(({ message }) => message)).toEqual([
    'a budget says no',
    'a budget says no',
  ])
})

test('an eviction of which nobody knows how it ended is an error, and not counted', () => {
  const objects = [...twoNodes, owned('shop/web-1', 'a')]
  const { report } = run({ policy: one(['PodLifeTime']), objects, answer: () => ({ kind: 'unknown', message: 'no answer' }) })
  expect(report).toMatchObject({ evicted: 0, entries: [{ result: 'error', message: 'no answer' }] })
})

test('a pod without a UID is never evicted', () => {
  const objects = [...twoNodes, owned('shop/web-1', 'a', { uid: '' })]
  const { report, steps } = run({ policy: one(['PodLifeTime']), objects })
  expect(report.entries).toMatchObject([{ result: 'ignored', message: 'pod shop/web-1 is missing UID' }])
  expect(steps.some(({ kind }) => kind === 'evict')).toBe(false)
})

test('case 25: total 5, per node 2, per namespace 3; two nodes with four candidates each', () => {
  const taints = [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' as const }]
  const pods = ['n1', 'n2'].flatMap(on => [1, 2, 3, 4].map(number => owned(`a/${on}-${number}`, on)))
  const { report, evicted, steps } = run({
    policy: `maxNoOfPodsToEvictTotal: 5\nmaxNoOfPodsToEvictPerNode: 2\nmaxNoOfPodsToEvictPerNamespace: 3\n${one(['RemovePodsViolatingNodeTaints'])}`,
    objects: [node('n1', { taints }), node('n2', { taints }), ...pods],
    strategies: strategyMaker({}),
  })
  expect(evicted).toEqual(['a/n1-1', 'a/n1-2', 'a/n2-1'])
  expect([...report.totals]).toEqual([
    ['success', 3],
    ['maximum number of evicted pods per node reached', 1],
    ['maximum number of evicted pods per namespace reached', 3],
  ])
  const events = steps.flatMap(step => (step.kind === 'limit' ? [step.refusal.event] : []))
  expect([...new Set(events)]).toEqual(['node eviction limit exceeded (2)', 'namespace eviction limit exceeded (3)'])
})

test('a total limit ends a plugin, and the next one meets it too', () => {
  const objects = [...twoNodes, owned('shop/web-1', 'a'), owned('shop/web-2', 'a'), owned('shop/web-3', 'b')]
  const { report, evicted } = run({ policy: `maxNoOfPodsToEvictTotal: 1\n${one(['PodLifeTime', 'RemoveFailedPods'])}`, objects })
  expect(evicted).toEqual(['shop/web-1'])
  expect(report.totals.get('maximum number of evicted pods per a descheduling cycle reached')).toBe(2)
})

test('a limit of 0 evicts nothing', () => {
  const objects = [...twoNodes, owned('shop/web-1', 'a')]
  for (const limit of ['Total', 'PerNode', 'PerNamespace'])
    expect(run({ policy: `maxNoOfPodsToEvict${limit}: 0\n${one(['PodLifeTime'])}`, objects }).report.evicted).toBe(0)
})

test('a pod without a node has no node limit', () => {
  const pending: StrategyMaker = function* (args, view) {
    for (const one of view.state.pods.values()) yield { pod: one, strategy: args.plugin, profile: view.profile, reason: '' }
  }
  const objects = [...twoNodes, owned('shop/web-1', undefined), owned('shop/web-2', undefined)]
  const { report } = run({ policy: `maxNoOfPodsToEvictPerNode: 1\n${one(['PodLifeTime'])}`, objects, strategies: pending })
  expect(report.evicted).toBe(2)
})

test('limits are never exceeded, evictions in background included', () => {
  const limit = fc.option(fc.nat(4), { nil: undefined })
  const given = fc.record({
    limits: fc.record({ Total: limit, PerNode: limit, PerNamespace: limit }),
    pods: fc.array(fc.record({ namespace: fc.constantFrom('x', 'y'), on: fc.constantFrom('a', 'b', 'c') }), { maxLength: 12 }),
    outcomes: fc.array(fc.constantFrom<EvictionOutcome['kind']>('evicted', 'failed', 'background'), {
      minLength: 12,
      maxLength: 12,
    }),
  })
  fc.assert(
    fc.property(given, ({ limits, pods, outcomes }) => {
      const lines = Object.entries(limits).map(([name, value]) =>
        value === undefined ? '' : `maxNoOfPodsToEvict${name}: ${value}\n`,
      )
      const background = new BackgroundEvictions()
      const at = new Map(
        pods.map(({ namespace, on }, index) => [`${namespace}/p${index}`, { namespace, on, kind: outcomes[index] }]),
      )
      const { report } = run({
        policy: lines.join('') + one(['PodLifeTime', 'RemoveFailedPods'], ['RemoveDuplicates']),
        objects: [
          ...twoNodes,
          node('c'),
          ...Array.from(at, ([key, { on, kind }]) => (kind === 'background' ? asks(key, on) : owned(key, on))),
        ],
        background,
        answer: ({ key }) => {
          const kind = at.get(key)?.kind
          return kind === 'failed'
            ? { kind, why: 'refused', message: 'no' }
            : kind === 'background'
              ? { kind }
              : { kind: 'evicted' }
        },
      })
      const counted = report.entries.filter(({ result }) => result === 'success' || result === 'background')
      const most = (key: (one: PodState) => string) =>
        Math.max(
          0,
          ...Map.groupBy(counted, ({ wish }) => key(wish.pod))
            .values()
            .map(list => list.length),
        )
      expect(counted.length).toBeLessThanOrEqual(limits.Total ?? Number.POSITIVE_INFINITY)
      expect(most(({ nodeName = '' }) => nodeName)).toBeLessThanOrEqual(limits.PerNode ?? Number.POSITIVE_INFINITY)
      expect(most(({ namespace }) => namespace)).toBeLessThanOrEqual(limits.PerNamespace ?? Number.POSITIVE_INFINITY)
      expect(new Set(counted.map(({ wish }) => wish.pod.key)).size).toBe(counted.length)
      const sum = report.totals.values().reduce((total, count) => total + count, 0)
      expect(sum).toBe(report.entries.length)
    }),
    { numRuns: 100 },
  )
})

test('an eviction in background is good for the strategy, counts against limits, and is asked for once', () => {
  const background = new BackgroundEvictions()
  const policy = `maxNoOfPodsToEvictPerNode: 1\n${one(['PodLifeTime', 'RemoveFailedPods'])}`
  const objects = [...twoNodes, asks('shop/vm-1', 'a'), asks('shop/vm-2', 'a')]
  const { report } = run({ policy, objects, background, answer: () => ({ kind: 'background' }) })
  expect([...report.totals]).toEqual([
    ['background', 1],
    ['maximum number of evicted pods per node reached', 2],
    ['requested', 1],
  ])
  expect(report).toMatchObject({ evicted: 0, evictionRequests: 1 })
  const ended = background.podDeleted(podState({ object: () => undefined }, asks('shop/vm-1', 'a')))
  expect(ended).toMatchObject([{ result: 'success', strategy: 'PodLifeTime', profile: 'p' }])
})

test('further evictors are asked too, and each refusal is told with its reasons', () => {
  const keda: Evictor = {
    filter: ({ name }) => (name === 'web-2' ? ['the workload belongs to KEDA'] : []),
    preEvictionFilter: () => [],
  }
  const objects = [
    ...twoNodes,
    owned('shop/web-1', 'a'),
    owned('shop/web-2', 'a'),
    pod('shop/bare', { node: 'a', priority: 2_000_000_000 }),
  ]
  const { evicted, said } = run({ policy: one(['PodLifeTime']), objects, furtherEvictors: [keda] })
  expect(evicted).toEqual(['shop/web-1'])
  const told = said.filter(line => line.startsWith('4 Pod fails'))
  expect(told).toHaveLength(2)
  expect(told[0]).toContain(
    '"checks":"[pod has system critical priority and is protected against eviction, pod has higher priority than specified priority class threshold, pod does not have any ownerRefs]"',
  )
  expect(told[1]).toContain('"checks":"the workload belongs to KEDA"')
})

test('what is above the level is not told', () => {
  const objects = [...twoNodes, pod('shop/bare', { node: 'a' })]
  const { said } = run({ policy: one(['PodLifeTime']), objects, verbosity: 3 })
  expect(said).toEqual(['1 Number of evictions/requests {"totalEvicted":0,"evictionRequests":0}'])
})
