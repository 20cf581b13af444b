// Metrics, health and traces have the shapes that upstream's were seen to have: recorded by
// `node test/real/descheduler/upstream-instruments.ts`.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { buildClusterState, type PodState } from '#cluster/cluster-state.ts'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { seededRandom } from '#kube/random.ts'
import { runCycle } from '../cycle.ts'
import type { EvictionOutcome } from '../eviction.ts'
import { readPolicy } from '../policy/read-policy.ts'
import { strategyMaker } from '../strategies/strategies.ts'
import { type CycleListener, listenersTogether } from './cycle-listener.ts'
import { CycleSpans, type Span } from './cycle-spans.ts'
import { DeschedulerMetrics } from './descheduler-metrics.ts'
import { answerInstruments } from './instrument-answers.ts'
import { type CollectedSpan, familiesIn, type RecordedInstruments, spanShapes } from './testdata/exposition.ts'
import { limitedCluster, limitedPolicy } from './testdata/limited-cycle.ts'

const fixture = join(import.meta.dirname, '../../../../../test/fixtures/descheduler-instruments/upstream.json')
// What is in the repository was written by the recorder.
const recorded = JSON.parse(readFileSync(fixture, 'utf8')) as RecordedInstruments
const startMs = Date.UTC(2026, 10, 1)

/** One cycle that `listener` hears of; each step takes a second. */
async function hear(
  listener: CycleListener,
  clock: VirtualClock,
  options: { policy?: string; answer?: (pod: PodState) => EvictionOutcome } = {},
) {
  const { policy: text = limitedPolicy, answer = () => ({ kind: 'evicted' }) } = options
  const read = readPolicy(text, { file: 'policy.json', priorityOf: () => undefined })
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  listener.cycleBegan()
  const { state } = buildClusterState(limitedCluster())
  const tell = () => undefined
  const input = {
    policy: read.policy,
    state,
    strategies: strategyMaker({}),
    nowMs: clock.now(),
    isDryRun: false,
    verbosity: 0,
    tell,
  }
  const cycle = runCycle(input)
  for (let next = cycle.next(); next.done !== true; ) {
    const step = next.value
    listener.step(step)
    await clock.advance(1_000)
    if (step.kind !== 'evict') {
      next = cycle.next()
      continue
    }
    const outcome = answer(step.wish.pod)
    listener.answered(step.wish, outcome)
    next = cycle.next(outcome)
  }
  listener.cycleEnded()
}

function instruments() {
  const clock = new VirtualClock(startMs)
  const registry = new Registry()
  const metrics = new DeschedulerMetrics(registry, { clock, build: { version: '0.1.0' } })
  const spans: Span[] = []
  const traces = new CycleSpans({ clock, random: seededRandom(1), sampleRate: 1, take: taken => spans.push(...taken) })
  return { clock, registry, metrics, spans, listener: listenersTogether([metrics, traces]) }
}

test("metrics have upstream's names, types, labels and buckets", async () => {
  const { clock, registry, listener } = instruments()
  await hear(listener, clock)
  expect(familiesIn(await registry.metrics(), 'descheduler_')).toEqual(recorded.families)
})

test('what happened is counted, under the new name and the deprecated one', async () => {
  const { clock, registry, listener } = instruments()
  await hear(listener, clock)
  const text = await registry.metrics()
  const lines = (start: string) => text.split('\n').filter(line => line.startsWith(start))
  const of = 'strategy="RemovePodsViolatingNodeTaints",profile="limited",namespace="x",node="n1"'
  for (const name of ['descheduler_pods_evicted_total', 'descheduler_pods_evicted'])
    expect(lines(`${name}{`)).toEqual([
      `${name}{result="success",${of}} 1`,
      `${name}{result="maximum number of evicted pods per a descheduling cycle reached",${of}} 1`,
    ])
  // Begin, evict, limit and end: a second after each.
  expect(lines('descheduler_loop_duration_seconds_sum')).toEqual(['descheduler_loop_duration_seconds_sum 4'])
  expect(lines('descheduler_strategy_duration_seconds_sum')).toEqual([
    'descheduler_strategy_duration_seconds_sum{strategy="RemovePodsViolatingNodeTaints",profile="limited"} 3',
  ])
  expect(lines('descheduler_build_info')).toEqual([
    `descheduler_build_info{GoVersion="${process.version}",AppVersion="0.1",DeschedulerVersion="v0.1.0",GitBranch="",GitSha1=""} 1`,
  ])
})

test.each([
  [{ kind: 'failed', why: 'too-many-requests', message: 'no' }, 'error'],
  [{ kind: 'unknown', message: 'no answer' }, 'error'],
  [{ kind: 'background' }, 'background'],
  [{ kind: 'ignored' }, undefined],
] as const)('%o is counted as %s', async (outcome, result) => {
  const { clock, registry, listener } = instruments()
  await hear(listener, clock, { policy: limitedPolicy.replace('"maxNoOfPodsToEvictTotal":1,', ''), answer: () => outcome })
  const counted = Array.from(
    (await registry.metrics()).matchAll(/^descheduler_pods_evicted_total\{result="([^"]*)".* (\d+)$/gm),
    ([, word, count]) => [word, count],
  )
  expect(counted).toEqual(result === undefined ? [] : [[result, '2']])
})

test('an eviction in background counts when it is over', async () => {
  const { registry, metrics } = instruments()
  const pod = Array.from(buildClusterState(limitedCluster()).state.pods.values())[0]
  if (pod === undefined) throw new Error('the cluster has pods')
  metrics.backgroundEnded({ result: 'success', pod, strategy: 's', profile: 'p' })
  expect(await registry.metrics()).toContain('{result="success",strategy="s",profile="p",namespace="x",node="n1"} 1')
})

test('the policy file is told: what nobody reads, what was refused', async () => {
  const { registry, metrics } = instruments()
  const value = async (name: string) =>
    (await registry.metrics())
      .split('\n')
      .filter(line => line.startsWith(name))
      .map(line => line.replace(/^.*[ ]/, ''))
  metrics.policyRead(2)
  expect(await value('ballast_policy_unknown_fields')).toEqual(['2'])
  metrics.policyReloaded({ kind: 'refused' })
  expect(await value('ballast_policy_unknown_fields')).toEqual(['2'])
  expect(await value('ballast_policy_refused')).toEqual(['1'])
  metrics.policyReloaded({ kind: 'applied', unknownFields: 0 })
  expect(await value('ballast_policy_unknown_fields')).toEqual(['0'])
  expect(await value('ballast_policy_refused')).toEqual(['0'])
  expect(await value('ballast_policy_reloads_total')).toEqual(['1', '1'])
})

/** As a collector would print it. */
function collected({ traceId, spanId, parentId, startNs, endNs, ...span }: Span): CollectedSpan {
  const known = { service: 'descheduler', scope: 'sigs.k8s.io/descheduler', kind: 'SPAN_KIND_INTERNAL' }
  return { ...known, ...span, trace: traceId, id: spanId, parent: parentId, start: Number(startNs), end: Number(endNs) }
}

test("traces have upstream's spans, each in its parent and its time", async () => {
  const { clock, spans, listener } = instruments()
  await hear(listener, clock)
  expect(
    spanShapes(
      spans.map(collected),
      recorded.spans.map(({ name }) => name),
    ),
  ).toEqual(recorded.spans)
  const byId = new Map(spans.map(span => [span.spanId, span]))
  const paths = spans.map(span => {
    const names: string[] = []
    for (let at: Span | undefined = span; at !== undefined; at = byId.get(at.parentId)) names.unshift(at.name)
    return names.join(' > ')
  })
  const plugin = 'runDeschedulerLoop > runProfiles > RemovePodsViolatingNodeTaints'
  expect(paths).toEqual([
    `${plugin} > EvictPod`,
    `${plugin} > EvictPod`,
    plugin,
    'runDeschedulerLoop > runProfiles',
    'runDeschedulerLoop',
  ])
  for (const { parentId, startNs, endNs } of spans) {
    const parent = byId.get(parentId)
    expect(startNs >= (parent?.startNs ?? 0n) && endNs <= (parent?.endNs ?? endNs) && startNs <= endNs).toBe(true)
  }
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1)
  expect(spans.at(-1)?.startNs).toBe(BigInt(startMs) * 1_000_000n)
})

test('a share of the cycles is traced, and a cycle without end does not grow', async () => {
  const clock = new VirtualClock(startMs)
  const taken: number[] = []
  const tracing = (sampleRate: number) =>
    new CycleSpans({ clock, random: seededRandom(7), sampleRate, take: spans => taken.push(spans.length) })
  for (const [rate, share] of [
    [0, 0],
    [0.25, 25],
    [1, 100],
  ] as const) {
    taken.length = 0
    const spans = tracing(rate)
    for (let cycle = 0; cycle < 100; cycle++) {
      spans.cycleBegan()
      spans.cycleEnded()
    }
    expect(Math.abs(taken.length - share)).toBeLessThan(15)
  }
  taken.length = 0
  const spans = tracing(1)
  const pod = Array.from(buildClusterState(limitedCluster()).state.pods.values())[0]
  if (pod === undefined) throw new Error('the cluster has pods')
  const wish = { pod, strategy: 's', profile: 'p', reason: '' }
  spans.cycleBegan()
  spans.step({ kind: 'begin', plugin: { point: 'deschedule', profile: 'p', strategy: 's' } })
  for (let eviction = 0; eviction < 5_000; eviction++) {
    spans.step({ kind: 'evict', wish })
    spans.answered(wish, { kind: 'evicted' })
  }
  spans.cycleEnded('broken off')
  expect(taken).toEqual([2_048 + 3])
})

test("paths are answered with upstream's statuses and words", async () => {
  const answers = answerInstruments({ metrics: new Registry(), log: silentLog })
  for (const [path, { status, body }] of Object.entries(recorded.answers)) {
    const answer = await answers('GET', path)
    expect([path, answer.status, body === undefined ? undefined : answer.body]).toEqual([path, status, body])
  }
})

test('scrapes at the same time share one rendering, and its failure is told to nobody outside', async () => {
  let renderings = 0
  const rendered = Promise.withResolvers<string>()
  const metrics = {
    contentType: new Registry().contentType,
    metrics: () => {
      renderings++
      return rendered.promise
    },
  }
  const answers = answerInstruments({ metrics, log: silentLog })
  const both = [answers('GET', '/metrics'), answers('GET', '/metrics')]
  rendered.reject(new Error('a secret'))
  expect((await Promise.all(both)).map(({ status, body }) => [status, body])).toEqual([
    [500, 'metrics could not be collected\n'],
    [500, 'metrics could not be collected\n'],
  ])
  expect(renderings).toBe(1)
})
