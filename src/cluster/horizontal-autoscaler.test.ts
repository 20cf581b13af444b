import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Pod } from '#kube/objects/objects.ts'
import { type AutoscalerDecision, type AutoscalerInput, autoscalerDecision, type MetricReading } from './horizontal-autoscaler.ts'
import { noMemory } from './horizontal-autoscaler-limits.ts'
import type { PodSample } from './horizontal-autoscaler-metrics.ts'
import type { AutoscalerSpec, MetricSpec } from './horizontal-autoscaler-spec.ts'

const startMs = Date.parse('2026-01-01T12:00:00Z')

interface PodChoice {
  readonly phase?: string
  readonly isReady?: boolean
  readonly startedAt?: string
  readonly changedAt?: string
  readonly isGoing?: boolean
}

function pod(name: string, choice: PodChoice = {}): Pod {
  const { phase = 'Running', isReady = true, startedAt = '2026-01-01T00:00:00Z', changedAt = startedAt, isGoing = false } = choice
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...(isGoing ? { deletionTimestamp: '2026-01-01T11:00:00Z' } : {}) },
    spec: { containers: [{ name: 'main', resources: { requests: { cpu: '100m', memory: '100Mi' } } }] },
    status: {
      phase,
      startTime: startedAt,
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False', lastTransitionTime: changedAt }],
    },
  }
}

const sample = (milli: number): PodSample => ({ milli: BigInt(milli), atMs: startMs, windowMs: 15_000 })
const readings = (values: readonly (number | undefined)[]): MetricReading => ({
  kind: 'pods',
  samples: new Map(values.flatMap((value, at) => (value === undefined ? [] : [[`p${at}`, sample(value)] as const]))),
})
const cpu = (averageUtilization: number): MetricSpec => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
})
const requests: MetricSpec = {
  type: 'Pods',
  pods: { metric: { name: 'requests' }, target: { type: 'AverageValue', averageValue: '100m' } },
}

function decide(
  metric: MetricSpec,
  pods: readonly Pod[],
  reading: MetricReading,
  more: Partial<AutoscalerInput> = {},
): AutoscalerDecision {
  const behavior = { scaleDown: { stabilizationWindowSeconds: 0 } }
  return autoscalerDecision({
    spec: { maxReplicas: 100, metrics: [metric], behavior },
    replicas: pods.length,
    statusReplicas: pods.length,
    pods,
    readings: [reading],
    memory: noMemory,
    nowMs: startMs,
    hasOwnTolerances: true,
    ...more,
  })
}

const pods = (count: number, choices: Readonly<Record<number, PodChoice>> = {}) =>
  Array.from({ length: count }, (_, at) => pod(`p${at}`, choices[at]))
const each = (count: number, milli: number) => readings(Array.from({ length: count }, () => milli))

describe('sizes from metrics', () => {
  // biome-ignore format: a table
  test.each<[string, MetricSpec, readonly Pod[], MetricReading, number]>([
    ['80 of 50 per cent', cpu(50), pods(5), each(5, 80), 8],
    ['54 of 50: within the tolerance', cpu(50), pods(5), each(5, 54), 5],
    ['three of four at half of the target: the silent one counts at the target', requests, pods(4), readings([50, 50, 50, undefined]), 3],
    ['a silent pod counts as idle on the way up', cpu(50), pods(4), readings([100, 100, 100, undefined]), 6],
    ['a silent pod turns the direction: nothing happens', cpu(50), pods(2), readings([60, undefined]), 2],
    ['a pending pod counts as idle on the way up', cpu(50), pods(3, { 2: { phase: 'Pending' } }), readings([100, 100, undefined]), 4],
    ['a pending pod does not count on the way down', cpu(50), pods(3, { 2: { phase: 'Pending' } }), readings([10, 10, undefined]), 1],
    ['a pod that goes does not count', cpu(50), pods(3, { 2: { isGoing: true } }), readings([100, 100, 1]), 4],
    ['a failed pod does not count', cpu(50), pods(3, { 2: { phase: 'Failed' } }), readings([100, 100, 1]), 4],
    ['cpu of a pod in its first minutes, not ready', cpu(50), pods(2, { 1: { isReady: false, startedAt: '2026-01-01T11:58:00Z' } }), readings([50, 500]), 2],
    ['cpu of a pod whose sample is older than its readiness', cpu(50), pods(2, { 1: { startedAt: '2026-01-01T11:58:00Z', changedAt: '2026-01-01T11:59:50Z' } }), readings([50, 500]), 2],
    ['cpu of a pod that never was ready', cpu(50), pods(2, { 1: { isReady: false, changedAt: '2026-01-01T00:00:20Z' } }), readings([50, 500]), 2],
    ['cpu of a pod that was ready once', cpu(50), pods(2, { 1: { isReady: false, changedAt: '2026-01-01T06:00:00Z' } }), readings([50, 150]), 4],
    ['a value of a whole, by ready pods', { type: 'External', external: { metric: { name: 'age' }, target: { type: 'Value', value: '60' } } }, pods(3), { kind: 'total', milli: 120_000n }, 6],
    ['a value of a whole, shared out', { type: 'External', external: { metric: { name: 'age' }, target: { type: 'AverageValue', averageValue: '10' } } }, pods(3), { kind: 'total', milli: 55_000n }, 6],
  ])('%s', (_, metric, list, reading, expected) => {
    expect(decide(metric, list, reading).replicas).toBe(expected)
  })

  test('of several metrics the greatest counts, and one that fails stops only the way down', () => {
    const metrics = [cpu(50), requests]
    const spec: AutoscalerSpec = { maxReplicas: 100, metrics, behavior: {} }
    const failed: MetricReading = { kind: 'failed', message: 'no' }
    const of = (first: MetricReading, second: MetricReading) =>
      decide(cpu(50), pods(4), first, { spec, readings: [first, second] })
    expect(of(each(4, 60), each(4, 200)).replicas).toBe(8)
    expect([of(each(4, 100), failed).replicas, of(each(4, 100), failed).isFailed]).toEqual([8, false])
    expect([of(each(4, 10), failed).replicas, of(each(4, 10), failed).isFailed]).toEqual([4, true])
  })

  test('nothing is scaled at no replicas', () => {
    const decision = decide(cpu(50), [], each(0, 0))
    expect([decision.replicas, decision.conditions.map(({ reason }) => reason)]).toEqual([0, ['ScalingDisabled']])
  })
})

/** Rounds every 15 s; `load` is the use of all pods together, in per cent of one pod's request. */
function rounds(spec: Partial<AutoscalerSpec>, from: number, loads: readonly number[]): readonly number[] {
  let memory = noMemory
  let replicas = from
  return loads.map((load, round) => {
    const list = pods(replicas)
    const decision = decide(cpu(50), list, each(replicas, Math.floor(load / replicas)), {
      spec: { maxReplicas: 100, metrics: [cpu(50)], ...spec },
      memory,
      nowMs: startMs + round * 15_000,
    })
    memory = decision.memory
    replicas = decision.replicas
    return replicas
  })
}

describe('what holds a size back', () => {
  test('down only after five minutes, to the highest wish of them, then all at once', () => {
    const loads = [400, ...Array.from({ length: 24 }, () => 50)]
    const sizes = rounds({}, 8, loads)
    expect(sizes.slice(0, 21)).toEqual(Array.from({ length: 21 }, () => 8))
    expect(sizes.at(-1)).toBe(1)
  })

  test('up by the rule without behavior: at most double, at least four', () => {
    expect(rounds({}, 1, [5_000, 5_000, 5_000])).toEqual([4, 8, 16])
  })

  test('policies count what was changed in their period', () => {
    const behavior = { scaleUp: { policies: [{ type: 'Pods', value: 2, periodSeconds: 60 }] as const } }
    expect(rounds({ behavior }, 4, [5_000, 5_000, 5_000, 5_000, 5_000])).toEqual([6, 6, 6, 6, 8])
  })

  test('a percentage down is cut off, and Disabled holds', () => {
    const policies = [{ type: 'Percent', value: 30, periodSeconds: 15 }] as const
    const down = { stabilizationWindowSeconds: 0, policies }
    expect(rounds({ behavior: { scaleDown: down } }, 10, [1, 1])).toEqual([7, 4])
    expect(rounds({ behavior: { scaleDown: { ...down, selectPolicy: 'Disabled' } } }, 10, [1, 1])).toEqual([10, 10])
  })

  test('the size is always within the limits and never against the load', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 1_000 }), (count, use) => {
        const { replicas } = decide(cpu(50), pods(count), each(count, use), {
          spec: { minReplicas: 2, maxReplicas: 20, metrics: [cpu(50)] },
          replicas: count,
        })
        const isInside = replicas >= Math.min(2, count) && replicas <= Math.max(20, 1)
        const isAgainst = (use > 55 && replicas < Math.min(count, 20)) || (use < 45 && replicas > Math.max(count, 2))
        return isInside && !isAgainst
      }),
    )
  })
})

describe('the cases H of events to replicas', () => {
  const external = (target: { readonly averageValue: string } | { readonly value: string }): MetricSpec => ({
    type: 'External',
    external: {
      metric: { name: 's0-m' },
      target: 'value' in target ? { type: 'Value', ...target } : { type: 'AverageValue', ...target },
    },
  })
  const total = (value: number): MetricReading => ({ kind: 'total', milli: BigInt(Math.round(value * 1_000)) })
  /** Sizes of rounds at these seconds, each from the size before. */
  function ticks(spec: AutoscalerSpec, from: number, value: number, seconds: readonly number[]): readonly number[] {
    let memory = noMemory
    let replicas = from
    return seconds.map(second => {
      const given = { spec, memory, nowMs: startMs + second * 1_000 }
      const decision = decide(external({ averageValue: '1' }), pods(replicas), total(value), given)
      memory = decision.memory
      replicas = decision.replicas
      return replicas
    })
  }

  test('H1: of AverageValue the sum shared out, within a tenth nothing; of Value by ready pods', () => {
    const shared = external({ averageValue: '10' })
    expect([45, 32, 33.1].map(value => decide(shared, pods(3), total(value)).replicas)).toEqual([5, 3, 4])
    const whole = external({ value: '10' })
    const behavior = { scaleUp: { policies: [{ type: 'Pods', value: 100, periodSeconds: 15 }] as const } }
    const spec = { maxReplicas: 100, metrics: [whole], behavior }
    expect(decide(whole, pods(4), total(25), { spec }).replicas).toBe(10)
  })

  test('H2: ten from one in three rounds: four, then double, then all', () => {
    const spec = { maxReplicas: 100, metrics: [external({ averageValue: '1' })] }
    expect(ticks(spec, 1, 10, [0, 15, 30])).toEqual([4, 8, 10])
  })

  test('H3: a silent pod counts as idle on the way up; on the way down as all it asks for', () => {
    expect(decide(cpu(50), pods(3), readings([90, 90, undefined])).replicas).toBe(4)
    expect(decide(cpu(50), pods(3), readings([20, 20, undefined])).replicas).toBe(3)
  })

  test('H4: policies by the size at the start of their period', () => {
    const metrics = [external({ averageValue: '1' })]
    const slowDown = { stabilizationWindowSeconds: 0, policies: [{ type: 'Percent', value: 10, periodSeconds: 60 }] } as const
    expect(ticks({ maxReplicas: 100, metrics, behavior: { scaleDown: slowDown } }, 80, 10, [0, 15, 45, 60, 75])).toEqual([
      72, 72, 72, 64, 64,
    ])
    const slowUp = { policies: [{ type: 'Pods', value: 2, periodSeconds: 60 }] } as const
    expect(ticks({ maxReplicas: 100, metrics, behavior: { scaleUp: slowUp } }, 4, 20, [0, 15, 61])).toEqual([6, 6, 8])
  })

  test('H5: one metric fails: never fewer, but more; at zero with a least of one nothing', () => {
    const metrics = [external({ averageValue: '10' }), external({ averageValue: '10' })]
    const of = (value: number) =>
      decide(external({ averageValue: '10' }), pods(4), total(value), {
        spec: { maxReplicas: 100, metrics },
        readings: [total(value), { kind: 'failed', message: 'no' }],
      })
    const fewer = of(10)
    expect([fewer.replicas, fewer.conditions.at(-1)]).toEqual([
      4,
      expect.objectContaining({ type: 'ScalingActive', status: 'False', reason: 'FailedGetExternalMetric' }),
    ])
    expect(of(70).replicas).toBe(7)
    const atZero = decide(external({ averageValue: '10' }), [], total(99))
    expect([atZero.replicas, atZero.conditions[0]?.reason]).toEqual([0, 'ScalingDisabled'])
  })
})
