import { describe, expect, test } from 'vitest'
import { compositeFormula } from '../formula/composite.ts'
import { type ScaledObject, scaledObjectSpec } from '../kinds/scaled-object.ts'
import { flapsOf, replay } from './replay.ts'
import { readSeries } from './series.ts'

const startMs = Date.UTC(2027, 2, 2)

function object(spec: Record<string, unknown>, annotations?: Record<string, string>): ScaledObject {
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name: 'worker', namespace: 'shop', ...(annotations === undefined ? {} : { annotations }) },
    spec: scaledObjectSpec.parse({ scaleTargetRef: { name: 'worker' }, ...spec }),
  }
}

const queue = (more: Record<string, unknown> = {}) => ({ type: 'prometheus', metadata: { threshold: '10' }, ...more })

/** A line each 15 s: `values[i]` from minute `i` on. */
function minutes(columns: Readonly<Record<string, readonly (number | string)[]>>) {
  const names = Object.keys(columns)
  const count = Math.max(...Object.values(columns).map(({ length }) => length))
  const rows = Array.from({ length: count }, (_none, at) =>
    [startMs / 1_000 + at * 60, ...names.map(name => columns[name]?.[at] ?? '')].join(','),
  )
  const read = readSeries('series', [`time,${names.join(',')}`, ...rows].join('\n'))
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return read.value
}

async function played(
  of: ScaledObject,
  columns: Readonly<Record<string, readonly (number | string)[]>>,
  { formula, replicas }: { readonly formula?: readonly [string, readonly string[]]; readonly replicas?: number } = {},
) {
  return await replay({
    object: of,
    series: minutes(columns),
    formula: formula === undefined ? undefined : compositeFormula(...formula),
    replicas,
    signal: new AbortController().signal,
  })
}

const times = (count: number, value: number | string) => Array.from({ length: count }, () => value)
const changesOf = ({ changes }: Awaited<ReturnType<typeof played>>) =>
  changes.map(({ atMs, from, to, by }) => `${(atMs - startMs) / 1_000} ${from}>${to} ${by === 'ScaledObject' ? 'so' : 'hpa'}`)

describe('a series played', () => {
  test('from zero by the executor, to many by the autoscaler, to zero after the cool-down', async () => {
    const result = await played(object({ triggers: [queue()], cooldownPeriod: 120 }), {
      queue: [0, 0, 85, 85, 85, ...times(10, 0), 0],
    })
    expect(changesOf(result)).toEqual(['120 0>1 so', '120 1>4 hpa', '135 4>8 hpa', '150 8>9 hpa', '420 9>0 so'])
    // 9 pods from 2:30 to 7:00, 1 to 8 before.
    expect(result.podHours).toBeCloseTo((4 * 15 + 8 * 15 + 9 * 270) / 3_600, 6)
    expect(result.hoursAtZero).toBeCloseTo((120 + 480) / 3_600, 6)
    expect(result.replicas).toHaveLength(61)
  })

  test('waking ahead is not played, which is said', async () => {
    const asked = object({ triggers: [queue()] }, { 'ballast.dev/pre-warm': '2h' })
    expect((await played(asked, { queue: [0, 0] })).notes).toEqual([
      expect.stringContaining('ballast.dev/pre-warm is not played'),
    ])
  })

  test('stepwise: to one by the autoscaler and its behavior, then to zero after the cool-down', async () => {
    const scaleDown = { stabilizationWindowSeconds: 0, policies: [{ type: 'Pods', value: 4, periodSeconds: 60 }] }
    const advanced = { horizontalPodAutoscalerConfig: { behavior: { scaleDown } } }
    const spec = { triggers: [queue()], cooldownPeriod: 60, advanced }
    const columns = { queue: [0, 0, 85, 85, 85, ...times(10, 0), 0] }
    expect(changesOf(await played(object(spec), columns)).slice(3)).toEqual(['300 9>5 hpa', '360 5>0 so'])
    const stepwise = await played(object(spec, { 'ballast.dev/scale-to-zero-policy': 'stepwise' }), columns)
    // Its last look at 5 is at 360 s.
    expect(changesOf(stepwise).slice(3)).toEqual(['300 9>5 hpa', '360 5>1 hpa', '450 1>0 so'])
  })

  test('at the activation threshold it stays asleep, above it wakes', async () => {
    const spec = { triggers: [queue({ metadata: { threshold: '10', activationThreshold: '5' } })] }
    expect(changesOf(await played(object(spec), { queue: [5, 5, 5.1, 5.1] }))).toEqual(['120 0>1 so'])
  })

  test('an error scales nothing down, and with a fallback the autoscaler is told of it', async () => {
    const silent = [40, 40, 40, ...times(20, 'error')]
    const without = await played(object({ triggers: [queue()], cooldownPeriod: 60 }), { queue: silent })
    expect(without.replicas.at(-1)).toBe(4)
    expect(without.failedLooks).toBe(39)
    const fallback = { failureThreshold: 3, replicas: 7 }
    const result = await played(object({ triggers: [queue()], cooldownPeriod: 60, fallback }), { queue: silent })
    expect(changesOf(result).at(-1)).toMatch(/ 4>7 hpa$/)
  })

  test('idle, least and most are kept; a paused object stays', async () => {
    const idle = { triggers: [queue()], idleReplicaCount: 0, minReplicaCount: 3, maxReplicaCount: 5, cooldownPeriod: 60 }
    expect(changesOf(await played(object(idle), { queue: [0, 99, 99, 0, 0, 0, 0] }))).toEqual([
      '60 0>3 so',
      '60 3>5 hpa',
      '240 5>0 so',
    ])
    const paused = object({ triggers: [queue()] }, { 'autoscaling.keda.sh/paused-replicas': '2' })
    const result = await played(paused, { queue: [0, 99, 99, 0] })
    expect([changesOf(result), result.replicas[0], result.notes.at(-1)]).toEqual([[], 2, expect.stringContaining('paused')])
  })

  test('a formula decides over its triggers', async () => {
    const spec = {
      triggers: [queue({ name: 'a' }), queue({ name: 'b' })],
      advanced: { scalingModifiers: { formula: 'a + b', target: '2', activationTarget: '2' } },
    }
    const columns = { a: [0, 2, 3, 3], b: [2, 0, 4, 4] }
    const result = await played(object(spec), columns, { formula: ['a + b', ['a', 'b']] })
    expect(changesOf(result)).toEqual(['120 0>1 so', '120 1>4 hpa'])
  })

  test('cron needs no column; cpu is what all pods use together', async () => {
    const spec = {
      minReplicaCount: 1,
      triggers: [
        { type: 'cpu', metricType: 'Utilization', metadata: { value: '50' } },
        { type: 'cron', metadata: { timezone: 'Etc/UTC', start: '5 * * * *', end: '8 * * * *', desiredReplicas: '6' } },
      ],
    }
    const result = await played(object(spec), { cpu: [40, 140, 140, 140, 140, 140, 140] })
    expect(changesOf(result)).toEqual(['60 1>3 hpa', '300 3>6 hpa'])
  })

  test.each([
    ['a trigger without a column', [queue({ name: 'a' }), queue({ name: 'b' })], { a: [1, 1] }, /no column for trigger 1/],
    [
      'a column that nobody reads',
      [queue({ name: 'a' }), { type: 'redis', metadata: {} }],
      { a: [1, 1], redis: [1, 1], c: [1, 1] },
      /no trigger reads c/,
    ],
    ['a type that nobody has', [{ type: 'tea', metadata: {} }], { tea: [1, 1] }, /no scaler found for type: tea/],
    ['no target', [{ type: 'prometheus', metadata: { query: 'q' } }], { q: [1, 1] }, /says no target/],
    ['a target that is none', [queue({ metadata: { threshold: 'ten' } })], { q: [1, 1] }, /threshold "ten": expected a number/],
    ['a target of zero', [queue({ metadata: { threshold: '0' } })], { q: [1, 1] }, /more than 0/],
    [
      'a schedule that is none',
      [queue(), { type: 'cron', metadata: { timezone: 'Mars' } }],
      { q: [1, 1] },
      /missing required parameter/,
    ],
    [
      'cpu twice',
      [1, 2].map(() => ({ type: 'cpu', metricType: 'Utilization', metadata: { value: '50' } })),
      { cpu: [1, 1] },
      /cannot be told apart/,
    ],
  ])('%s is refused', async (_what, triggers, columns, message) => {
    await expect(played(object({ triggers }), columns)).rejects.toThrow(message)
  })

  test('only what is soon taken back counts as flapping', () => {
    const change = (minute: number, from: number, to: number) => ({
      atMs: minute * 60_000,
      from,
      to,
      by: 'ScaledObject' as const,
      why: '',
    })
    expect(flapsOf([change(0, 1, 2), change(5, 2, 1), change(16, 1, 2), change(17, 2, 4), change(18, 4, 3)])).toBe(2)
  })
})

describe('a series read', () => {
  const problems = (text: string) => {
    const read = readSeries('s.csv', text)
    return read.ok ? [] : read.problems.map(({ where, expected }) => `${where}: ${expected}`)
  }
  test('times of every form, quotes, a mark of the byte order', () => {
    const read = readSeries('s', '\uFEFF"Time","a"\r\n2027-03-02T00:00:00Z,1\r\n1803945615,\n1803945630000,nan\n')
    expect(read).toEqual({
      ok: true,
      value: {
        columns: ['a'],
        times: [startMs, startMs + 15_000, startMs + 30_000].map(ms => ms),
        values: [[1, undefined, undefined]],
      },
    })
  })
  test.each([
    ['', 'line 1: a heading such as'],
    ['a,b\n1,2\n', 'line 1: a heading such as'],
    ['time,a,a\n1,2,3\n', 'line 1: each column once'],
    ['time,a\n1,2\n', 'line 3: at least two'],
    ['time,a\n2,2\n1,2\n', 'line 3: a later time'],
    ['time,a\n1,2\n2,x\n', 'line 3: a number for a'],
    ['time,a\n1,2\n2,Infinity\n', 'line 3: a number for a'],
    ['time,a\n1,2\n2,3,4\n', 'line 3: 2 cells'],
    ['time,a\n1,2\nyesterday,3\n', 'line 3: a time such as'],
  ])('%j is refused', (text, message) => expect(problems(text).join()).toContain(message))
  test('every wrong line is told, up to ten', () => {
    expect(problems(`time,a\n${Array.from({ length: 30 }, (_none, at) => `${at},x`).join('\n')}`)).toHaveLength(10)
  })
})
