// A DeschedulerPolicy tried on a copy of a cluster: who goes, where that lands, whether it comes to rest.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { settingsForServer } from '#cluster/scheduler-settings.ts'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError } from '#kube/problem.ts'
import { readScenario } from '#planning/simulation/read-scenario.ts'
import type { DeschedulerSummary, SimulationReport } from '#planning/simulation/report.ts'
import { simulate } from '#planning/simulation/simulate.ts'
import { node, workload } from '#planning/testdata/objects.ts'
import { randomCluster } from '#planning/testdata/random-cluster.ts'
import { openRehearsal } from '../src/capabilities/deschedule/compat/rehearsal/rehearsal.ts'
import { runBallast } from './cli/run-ballast.ts'

const example = join(import.meta.dirname, '..', 'examples', 'talos-homelab')
const at = '2026-11-01T12:00:00Z'
const { signal } = new AbortController()

type Fields = Readonly<Record<string, unknown>>

/** One plugin in a policy; `more` goes to its top. */
function policy(point: 'balance' | 'deschedule', name: string, args: Fields, more: Fields = {}): Fields {
  const evictor = { name: 'DefaultEvictor', args: {} }
  const profile = { name: 'p', pluginConfig: [evictor, { name, args }], plugins: { [point]: { enabled: [name] } } }
  return { apiVersion: 'descheduler/v1alpha2', kind: 'DeschedulerPolicy', ...more, profiles: [profile] }
}

const level = (more: Fields = {}) =>
  policy('balance', 'LowNodeUtilization', { thresholds: { cpu: 20 }, targetThresholds: { cpu: 50 }, ...more })

/** Plays one step of `descheduler`. @throws InputError for what is wrong with it */
async function played(
  objects: readonly KubeObject[],
  descheduler: Fields,
  { cycles = 1, seed = 1, kubelet = 'fast' }: { cycles?: number; seed?: number; kubelet?: string } = {},
): Promise<SimulationReport> {
  const scenario = { now: at, seed, kubelet, steps: [{ applyPolicy: { descheduler, cycles, interval: '5m' } }] }
  const read = readScenario('s.json', JSON.stringify(scenario))
  if (!read.ok) throw new InputError(read.problems)
  const refused = { ok: false, problems: [] } as const
  const settings = settingsForServer('1.34')
  const outside = {
    plan: async (
      wish: { readonly descheduler?: Fields },
      world: { readonly state: Parameters<typeof openRehearsal>[1]['state'] },
    ) => openRehearsal(JSON.stringify(wish.descheduler), { file: 'p.yaml', state: world.state, clock: systemClock, signal }),
    isolation: async () => refused,
    objectsOf: () => [],
    settings: () => ({ settings }),
  }
  return await simulate({ objects, scenario: read.scenario, settings, server: '1.34', watts: new Map(), outside }, signal)
}

function summaryOf({ steps: [step] }: SimulationReport): DeschedulerSummary {
  if (step?.descheduler === undefined) throw new Error('the step ran no descheduler')
  return step.descheduler
}

/** `cart: a → b`, one cycle after the other. */
function told(report: SimulationReport): readonly (readonly string[])[] {
  const short = (pod: string) => (pod.split('/')[1] ?? pod).replace(/-.*$/, '')
  return summaryOf(report).cycles.map(({ evicted }) =>
    evicted.map(({ pod, from, to, again }) => `${short(pod)}: ${from} → ${to ?? '?'}${again === true ? ' again' : ''}`),
  )
}

const prefers = (name: string) => ({
  affinity: {
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 100, preference: { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [name] }] } },
      ],
    },
  },
})
const cart = (on: readonly string[], more: object = {}) => workload('shop/cart', { on, cpu: 700, ...more })
const two = [node('a'), node('b')]
const old = { podMetadata: { creationTimestamp: '2026-10-01T00:00:00Z' } }
const metrics = (kind: 'NodeMetrics' | 'PodMetrics', key: string, cpu: string): KubeObject => {
  const [first = '', second] = key.split('/')
  const usage = { cpu, memory: '1Gi' }
  const metadata = second === undefined ? { name: first } : { name: second, namespace: first }
  const body = kind === 'NodeMetrics' ? { usage } : { containers: [{ name: 'main', usage }] }
  return { apiVersion: 'metrics.k8s.io/v1beta1', kind, metadata, ...body }
}
/** DaemonSets' pods stay: what comes would rather stand on `b`. */
const heavy = workload('kube/log', { kind: 'DaemonSet', cpu: 1000, on: ['a'] })
const measured = [
  ...two,
  ...heavy,
  ...cart(['a', 'a', 'a'], { cpu: 100 }),
  metrics('NodeMetrics', 'a', '3500m'),
  metrics('NodeMetrics', 'b', '100m'),
  ...['cart-abcde12345-xxxx0', 'cart-abcde12345-xxxx1', 'cart-abcde12345-xxxx2'].map(pod =>
    metrics('PodMetrics', `shop/${pod}`, '1'),
  ),
]
const byMetrics = {
  ...level({ metricsUtilization: { source: 'KubernetesMetrics' } }),
  metricsProviders: [{ source: 'KubernetesMetrics' }],
}

// biome-ignore format: a table
const rows: readonly (readonly [what: string, objects: readonly KubeObject[], descheduler: Fields, cycles: number, said: readonly (readonly string[])[]])[] = [
  ['what is over gives to what is under, and rests', [...two, ...cart(['a', 'a', 'a', 'a'])], level(), 3, [['cart: a → b', 'cart: a → b'], [], []]],
  ['a budget gives one a cycle, however fast its pods are replaced', [...two, ...cart(['a', 'a', 'a', 'a', 'a'], { budget: { maxUnavailable: 1 } })], level(), 2, [['cart: a → b'], ['cart: a → b']]],
  ['one that would rather stand where it stood comes back, for ever', [...two, ...cart(['a', 'a', 'a'], { spec: prefers('a') })], level(), 2, [['cart: a → a'], ['cart: a → a again']]],
  ['nothing has a place: the replacement waits', [node('a'), node('b'), ...cart(['a'], { spec: { nodeSelector: { 'kubernetes.io/hostname': 'c' } } })], policy('deschedule', 'RemovePodsViolatingNodeAffinity', { nodeAffinityType: ['requiredDuringSchedulingIgnoredDuringExecution'] }), 1, [[]]],
  ['a taint that came later', [node('a', { taints: [{ key: 'k', effect: 'NoSchedule' }] }), node('b'), ...cart(['a'])], policy('deschedule', 'RemovePodsViolatingNodeTaints', {}), 2, [['cart: a → b'], []]],
  ['old pods go; what comes is young until it is old', [...two, ...heavy, ...cart(['a'], old)], policy('deschedule', 'PodLifeTime', { maxPodLifeTimeSeconds: 400 }), 4, [['cart: a → b'], [], ['cart: b → b again'], []]],
  ['a limit of the policy', [...two, ...cart(['a', 'a', 'a', 'a'])], policy('balance', 'LowNodeUtilization', { thresholds: { cpu: 20 }, targetThresholds: { cpu: 50 } }, { maxNoOfPodsToEvictTotal: 1 }), 1, [['cart: a → b']]],
  ['one node is none to level', [node('a'), ...cart(['a', 'a', 'a', 'a'])], level(), 1, [[]]],
  ['measured usage goes with the pods that move', measured, byMetrics, 3, [['cart: a → b', 'cart: a → b'], [], []]],
]
test.each(rows)('%s', async (_what, objects, descheduler, cycles, said) => {
  expect(told(await played(objects, descheduler, { cycles }))).toEqual(said)
})

describe('what a run comes to', () => {
  test('it rests', async () => {
    const report = await played([...two, ...cart(['a', 'a', 'a', 'a'])], level(), { cycles: 2 })
    expect(summaryOf(report)).toMatchObject({ policy: 'p.yaml', evicted: 2, evictedAgain: 0, settled: true })
    expect(report.steps[0]?.what).toBe('2 cycles of the descheduler: 2 pods are evicted; the last cycle evicts none')
    expect(report.steps[0]?.seconds).toBe(300)
    const [first, last] = summaryOf(report).cycles
    expect(first?.plugins).toEqual([
      {
        profile: 'p',
        strategy: 'LowNodeUtilization',
        evicted: 2,
        nodes: { overutilized: ['a'], underutilized: ['b'] },
        sources: ['a'],
        room: { cpu: '2000', memory: '8589934592', pods: '110' },
      },
    ])
    expect(first?.nodes).toEqual([
      { node: 'a', cpu: 35, memory: 3.13, pods: 2 },
      { node: 'b', cpu: 35, memory: 3.13, pods: 2 },
    ])
    expect(last?.plugins[0]?.ended).toMatch(/^No node is underutilized/)
  })

  test('it loops: the arrangement of the start is back', async () => {
    const report = await played([...two, ...cart(['a', 'a', 'a'], { spec: prefers('a') })], level(), { cycles: 4 })
    expect(summaryOf(report)).toMatchObject({ evicted: 4, settled: false, loop: { since: 0, after: 1, evicted: 1 } })
    expect(report.steps[0]?.what).toContain('it loops: after cycle 1 the pods stand as at the start')
  })

  test('one that lands where it stood and stays there from then on is no loop', async () => {
    const once = policy('deschedule', 'PodLifeTime', { maxPodLifeTimeSeconds: 86_400 })
    const report = await played([node('a'), node('b', { unschedulable: true }), ...cart(['a'], old)], once, { cycles: 3 })
    expect(told(report)).toEqual([['cart: a → a'], [], []])
    expect(summaryOf(report)).toMatchObject({ settled: true })
    expect(summaryOf(report).loop).toBeUndefined()
  })

  test('a plugin that fails says why, and no Prometheus is asked', async () => {
    const percent = { MetricResource: 50 }
    const asks = level({
      thresholds: percent,
      targetThresholds: percent,
      metricsUtilization: { source: 'Prometheus', prometheus: { query: 'up' } },
    })
    const provider = { source: 'Prometheus', prometheus: { url: 'https://prometheus.example' } }
    const report = await played(two, { ...asks, metricsProviders: [provider] })
    expect(summaryOf(report).cycles[0]?.plugins[0]?.error).toContain('no Prometheus is asked about a copy of a cluster')
  })

  test('limits, refusals and a cycle that is skipped are told', async () => {
    const limited = await played([...two, ...cart(['a', 'a', 'a', 'a'])], { ...level(), maxNoOfPodsToEvictPerNode: 1 })
    expect(summaryOf(limited).cycles[0]?.limited).toMatchObject([
      { strategy: 'LowNodeUtilization', limit: expect.stringContaining('node') },
    ])
    const held = await played([...two, ...cart(['a', 'a', 'a', 'a'], { budget: { maxUnavailable: 0 } })], level())
    expect(held.steps[0]?.refusals).toHaveLength(4)
    expect(summaryOf(held).cycles[0]).toMatchObject({ refused: 4, evicted: [] })
    const alone = await played([node('a')], level())
    expect(summaryOf(alone).cycles[0]).toMatchObject({ skipped: 'requires >=2 nodes', plugins: [] })
  })

  test('fields without effect are notes; the system classes need no object', async () => {
    const args = { priorityThreshold: { name: 'system-cluster-critical' } }
    const profile = { name: 'p', pluginConfig: [{ name: 'DefaultEvictor', args }], plugins: {} }
    const report = await played(two, {
      apiVersion: 'descheduler/v1alpha2',
      kind: 'DeschedulerPolicy',
      strategies: {},
      profiles: [profile],
    })
    expect(report.steps[0]?.notes).toEqual(['p.yaml: strategies has no effect'])
  })
})

test('the same seed gives the same bytes, no pod is lost or doubled, none goes twice in a cycle', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 0, max: 1_000 }), async (cluster, seed) => {
      const { objects } = randomCluster(cluster, { nodes: [2, 5], mostPods: 20 })
      const given = { cycles: 3, seed, kubelet: 'general' }
      const wide = level({ thresholds: { cpu: 35 }, targetThresholds: { cpu: 40 } })
      const report = await played(objects, wide, given)
      expect(JSON.stringify(await played(objects, wide, given))).toBe(JSON.stringify(report))
      const pods = ({ nodes }: { readonly nodes: readonly { readonly pods: number }[] }) =>
        nodes.reduce((sum, one) => sum + one.pods, 0)
      const [step] = report.steps
      if (step === undefined) throw new Error('no step')
      expect(pods(step) + step.pending.length + step.lost.length).toBe(pods(report.start) + report.start.pending)
      for (const { evicted } of summaryOf(report).cycles) expect(new Set(evicted.map(({ pod }) => pod)).size).toBe(evicted.length)
    }),
    { numRuns: 40 },
  )
})

describe('through the command', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'ballast-simulate-descheduler-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const run = (scenario: string, ...more: string[]) =>
    runBallast(['simulate', '--cluster', example, '--scenario', scenario, ...more])

  test.each(['1.34', '1.36'])(
    'case 4 on %s: talos03 alone is under, its memory goes to talos01, talos00 never improves',
    async server => {
      const scenario = join(example, 'scenarios', 'descheduler.yaml')
      const { code, output, words } = await run(scenario, '-o', 'json', '--server-version', server)
      expect([code, words]).toEqual([0, ''])
      const report: SimulationReport = JSON.parse(output)
      const { cycles, settled, loop } = summaryOf(report)
      expect(cycles[0]?.plugins).toMatchObject([
        {
          nodes: { underutilized: ['talos03'], overutilized: ['talos00', 'talos01'] },
          sources: ['talos01', 'talos00'],
          // 4,661 Mi.
          room: { cpu: '7320', memory: String(4_661 * 2 ** 20), pods: '46' },
        },
      ])
      expect(new Set(cycles.flatMap(({ evicted }) => evicted.map(({ from }) => from)))).toEqual(new Set(['talos01']))
      expect(cycles.slice(1).flatMap(({ evicted }) => evicted)).toEqual([])
      expect(cycles.map(({ nodes }) => nodes.find(({ node: name }) => name === 'talos00'))).toEqual(
        cycles.map(() => ({ node: 'talos00', cpu: 93.4, memory: 82.4, pods: 59 })),
      )
      expect([cycles.length, settled, loop]).toEqual([12, true, undefined])
      expect((await run(scenario, '-o', 'json', '--server-version', server)).output).toBe(output)
    },
  )

  test('drawn for who looks: cycles that say the same are told once', async () => {
    const { code, output } = await run(join(example, 'scenarios', 'descheduler.yaml'))
    expect(code).toBe(0)
    expect(output).toMatch(/^cycle 1: 6 evicted, 21 refused$/m)
    expect(output).toMatch(/^ {2}monitoring\/loki-0 +talos01 +talos0\S+ +LowNodeUtilization/m)
    expect(output).toMatch(/^cycles 2 to 12, each: 0 evicted$/m)
  })

  test('the policy of a ConfigMap, in the cluster and in a file; CI is told where it does not hold', async () => {
    const text = JSON.stringify(level())
    const map = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'descheduler', namespace: 'kube-system' },
      data: { 'policy.yaml': text },
    }
    const cluster = file('cluster.json', JSON.stringify([...two, ...cart(['a', 'a', 'a'], { spec: prefers('a') }), map]))
    file('map.json', JSON.stringify(map))
    for (const place of ['configMap: kube-system/descheduler', 'file: map.json']) {
      const scenario = file(
        's.yaml',
        `steps:\n- applyPolicy: {${place}, cycles: 3}\n  expect: [{settled: true}, {evicted: 0}, {evictedAgain: 0}]\n`,
      )
      const { code, output } = await runBallast(['simulate', '--cluster', cluster, '--scenario', scenario])
      expect(code).toBe(3)
      expect(output).toMatch(/it loops: after cycle 1 the pods stand as at the start/)
      expect(output).toMatch(/\{"settled":true\}: 1 evicted in cycle 3: does not hold/)
    }
  })

  // biome-ignore format: a table
  test.each([
    ['a plugin that there is not', `{descheduler: ${JSON.stringify(policy('balance', 'LowNodeUtilisation', {}))}}`, 'steps[0].applyPolicy.descheduler: '],
    ['an old version', '{descheduler: {apiVersion: descheduler/v1alpha1, kind: DeschedulerPolicy}}', 'expected apiVersion: descheduler/v1alpha2'],
    ['two places', '{policy: a, file: b}', 'expected one of policy, file, descheduler, configMap'],
    ['a ConfigMap that is not there', '{configMap: kube-system/none}', 'steps[0].applyPolicy.configMap: ConfigMap kube-system/none: found "no such ConfigMap'],
    ['landings that nobody steers', '{descheduler: {apiVersion: descheduler/v1alpha2, kind: DeschedulerPolicy, profiles: []}, landing: hold}', 'steps[0].applyPolicy.landing: found "hold"'],
    ['a RebalancePolicy in cycles', '{cycles: 3}', 'steps[0].applyPolicy.cycles: found "3", expected a DeschedulerPolicy'],
    ['an interval that is none', '{configMap: a/b, interval: soon}', 'steps[0].applyPolicy.interval: found "\\"soon\\"", expected a duration such as 5m'],
    ['too many cycles', '{configMap: a/b, cycles: 1001}', 'steps[0].applyPolicy.cycles'],
  ])('%s ends with 2 and its place', async (_what, operation, said) => {
    const { code, words } = await run(file('bad.yaml', `steps:\n- applyPolicy: ${operation}\n`))
    expect([code, words]).toEqual([2, expect.stringContaining(said)])
  })
})
