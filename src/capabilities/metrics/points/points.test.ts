import { expect, test } from 'vitest'
import { type ContainerReading, emptyReading, type NodeReading, type Reading } from '../decode/reading.ts'
import { nodeMetrics, podMetrics } from '../served/metrics-objects.ts'
import { PointColumns } from './point-columns.ts'
import { type PodAbsence, type PointRules, Points } from './points.ts'

const origin = Date.parse('2026-01-01T00:00:00Z')
const mebi = 1024 ** 2
const rules: PointRules = { resolutionMs: 60_000, staleAfterMs: 150_000, isStrict: false }
const none: ReadonlySet<string> = new Set()

interface Sample {
  /** Seconds after the origin; undefined: not known. */
  readonly start?: number
  readonly ts: number
  /** Core-seconds. */
  readonly cpu?: number
  /** Mebibytes. */
  readonly mem?: number
  readonly memTs?: number
}

const C = (start: number, ts: number, cpu: number, mem: number): Sample => ({ start, ts, cpu, mem })

function reading({ start, ts, cpu, mem, memTs = ts }: Sample): Reading {
  return {
    ...emptyReading(),
    cpuNs: cpu === undefined ? undefined : Math.trunc(cpu * 1e9),
    cpuMs: origin + ts * 1000,
    memoryBytes: mem === undefined ? undefined : mem * mebi,
    memoryMs: origin + memTs * 1000,
    startNs: start === undefined ? undefined : (origin + start * 1000) * 1e6,
  }
}

type Containers = Readonly<Record<string, Sample>>

class Harness {
  readonly points: Points
  #elapsedMs = 0

  constructor(changed: Partial<PointRules> = {}) {
    this.points = new Points({ ...rules, ...changed })
  }

  scrape({ node, pods = {}, name = 'n1' }: { node?: Sample; pods?: Readonly<Record<string, Containers>>; name?: string }) {
    const times = [...(node === undefined ? [] : [node.ts]), ...Object.values(pods).flatMap(p => Object.values(p).map(s => s.ts))]
    this.#elapsedMs += 1_000
    const containers = Object.entries(pods).flatMap(([pod, all]) =>
      Object.entries(all).map(([container, s]): ContainerReading => ({ namespace: 'shop', pod, container, ...reading(s) })),
    )
    const answer: NodeReading = { node: node === undefined ? emptyReading() : reading(node), containers, rejected: new Map() }
    return this.points.store(name, answer, { wallMs: origin + Math.max(...times) * 1000, elapsedMs: this.#elapsedMs })
  }

  after(seconds: number): void {
    this.#elapsedMs += seconds * 1000
  }

  missed(name = 'n1'): void {
    this.points.missed(name, this.#elapsedMs)
  }

  node(name = 'n1') {
    const usage = this.points.nodeUsage(name, this.#elapsedMs)
    if (usage === undefined) return undefined
    const {
      timestamp,
      window,
      usage: amounts,
    } = nodeMetrics({ name }, usage, { nowMs: origin, exposed: { swap: false, storage: false } })
    return { timestamp, window, usage: amounts }
  }

  pod(name: string, finished = none) {
    const found = this.points.podUsage({ namespace: 'shop', name }, finished, this.#elapsedMs)
    if (isAbsent(found)) return found.kind
    const { timestamp, window, containers } = podMetrics({ name, namespace: 'shop' }, found, [], {
      nowMs: origin,
      exposed: { swap: false, storage: false },
    })
    return { timestamp, window, containers }
  }
}

function isAbsent(found: unknown): found is PodAbsence {
  return !Array.isArray(found)
}

const at = (seconds: number) => new Date(origin + Math.floor(seconds) * 1000).toISOString().replace('.000', '')
const one = (usage: object, ts: number, window: string) => ({ timestamp: at(ts), window, containers: [{ name: 'app', usage }] })
const one$ = { cpu: '1', memory: '5Mi' }

test('case 1: a node is served from its second point on', () => {
  const harness = new Harness()
  harness.scrape({ node: { ts: 10, cpu: 10, mem: 2 } })
  expect(harness.node()).toBeUndefined()
  expect(harness.points.servable).toEqual({ nodes: 0, containers: 0 })
  harness.scrape({ node: { ts: 20, cpu: 21, mem: 3 } })
  expect(harness.node()).toEqual({ timestamp: at(20), window: '10s', usage: { cpu: '1100m', memory: '3Mi' } })
  expect(harness.points.servable).toEqual({ nodes: 1, containers: 0 })
})

// Each: resolution in seconds, points of container app one after the other, what is served of the pod then.
const containerCases: readonly (readonly [string, number, readonly Sample[], unknown])[] = [
  ['2: two points', 60, [C(0, 120, 1, 4), C(0, 125, 6, 5)], one(one$, 125, '5s')],
  ['3: young enough for its start', 60, [C(0, 10, 10, 4)], one({ cpu: '1', memory: '4Mi' }, 10, '10s')],
  ['4: younger than ten seconds', 60, [C(0, 9, 10, 4)], 'waiting'],
  ['4: older than the resolution', 60, [C(0, 120, 1, 4)], 'waiting'],
  ['4: measured before its start', 60, [C(0, -10, 1, 4)], 'waiting'],
  ['5: just young enough', 15, [C(0, 14.9, 14.9, 4)], one({ cpu: '1', memory: '4Mi' }, 14.9, '14.9s')],
  ['5: just too old', 15, [C(0, 15, 15, 4)], 'waiting'],
  ['6: restarted', 60, [C(0, 10, 1, 4), C(15, 25, 5, 5)], one({ cpu: '500m', memory: '5Mi' }, 25, '10s')],
  ['7: the counter fell', 60, [C(0, 110, 20, 4), C(0, 120, 10, 4)], 'fell'],
  ['8: a late point', 60, [C(0, 115, 10, 5), C(0, 125, 50, 5), C(0, 120, 35, 5)], one({ cpu: '5', memory: '5Mi' }, 120, '5s')],
  ['8: and one before the first', 60, [C(0, 115, 10, 5), C(0, 125, 50, 5), C(0, 120, 35, 5), C(0, 100, 5, 5)], 'waiting'],
  ['the same point again', 60, [C(0, 115, 10, 5), C(0, 125, 20, 5), C(0, 125, 20, 5)], one(one$, 125, '10s')],
  [
    'a start that is not known',
    60,
    [
      { ts: 115, cpu: 10, mem: 5 },
      { ts: 125, cpu: 20, mem: 5 },
    ],
    one(one$, 125, '10s'),
  ],
  [
    '30: the time is the CPU’s',
    60,
    [C(0, 115, 10, 5), { start: 0, ts: 125, cpu: 20, mem: 5, memTs: 125.4 }],
    one(one$, 125, '10s'),
  ],
]

test.each(containerCases)('case %s', (_, resolution, samples, expected) => {
  const harness = new Harness({ resolutionMs: resolution * 1000, staleAfterMs: 1e9 })
  for (const sample of samples) harness.scrape({ pods: { web: { app: sample } } })
  expect(harness.pod('web')).toEqual(expected)
})

const idle = { a: C(0, 20, 4.7, 12), b: C(0, 20, 0, 3) }

test('case 9: a container that used nothing is zero from its start, or loses its pod where upstream’s rules are asked for', () => {
  const ours = new Harness()
  ours.scrape({ pods: { web: idle } })
  expect(ours.pod('web')).toEqual({
    timestamp: at(20),
    window: '20s',
    containers: [
      { name: 'a', usage: { cpu: '235m', memory: '12Mi' } },
      { name: 'b', usage: { cpu: '0', memory: '3Mi' } },
    ],
  })
  const strict = new Harness({ isStrict: true })
  strict.scrape({ pods: { web: idle } })
  expect(strict.pod('web')).toBe('incomplete')
})

test.each([
  ['no CPU, no memory', { start: 0, ts: 200 }, '0'],
  ['CPU alone', { start: 0, ts: 200, cpu: 0 }, '0'],
  ['memory alone', { start: 0, ts: 200, mem: 4 }, '0'],
] as const)('a running container with %s counts as zero from its start', (_, sample, cpu) => {
  const harness = new Harness()
  harness.scrape({ pods: { web: { app: sample } } })
  expect(harness.pod('web')).toMatchObject({ containers: [{ name: 'app', usage: { cpu } }] })
})

test('for a while after a change-over upstream’s rules of pods hold, and its rule of missed scrapes does not', () => {
  let arePodsStrict = true
  const harness = new Harness({ resolutionMs: 15_000, staleAfterMs: 37_500, arePodsStrict: () => arePodsStrict })
  const scrape = (ts: number) =>
    harness.scrape({
      node: { ts, cpu: ts, mem: 5 },
      pods: {
        idle: { a: C(-1000, ts, ts, 12), b: C(-1000, ts, 0, 3) },
        job: { a: C(-1000, ts, ts, 12), done: C(-1000, ts, 0, 0) },
        fell: { a: C(-1000, ts, ts, 12), b: C(-1000, ts, 1_000 - ts, 3) },
      },
    })
  const names = (pod: string, finished?: ReadonlySet<string>) => {
    const found = harness.pod(pod, finished)
    return typeof found === 'string' ? found : found.containers
  }
  scrape(15)
  scrape(30)
  const done = new Set(['done'])
  expect([names('idle'), names('job', done)]).toEqual(['incomplete', 'incomplete'])
  expect(names('fell')).toMatchObject([{ name: 'a' }])
  harness.missed()
  expect(harness.node()?.window).toBe('15s')
  arePodsStrict = false
  // What is kept is told by our rules at once, what was not kept from the next scrape on.
  expect([names('job', done), names('fell')]).toMatchObject([[{ name: 'a' }], 'fell'])
  scrape(45)
  expect(names('idle')).toMatchObject([{ name: 'a' }, { name: 'b', usage: { cpu: '0', memory: '3Mi' } }])
})

test('a line that was rejected is no zero: its pod is not served', () => {
  const points = new Points(rules)
  const said = { ...reading({ start: 0, ts: 200, mem: 4 }), isDoubted: true }
  const containers = [{ namespace: 'shop', pod: 'web', container: 'app', ...said }]
  const node = emptyReading()
  points.store('n1', { node, containers, rejected: new Map([['value', 1]]) }, { wallMs: origin + 200_000, elapsedMs: 0 })
  expect(points.podUsage({ namespace: 'shop', name: 'web' }, none, 0)).toEqual({ kind: 'incomplete', container: 'app' })
})

test('a container without a start and without CPU keeps its pod from being served, unless it ended', () => {
  const harness = new Harness()
  const pods = (ts: number) => ({ web: { app: C(0, ts, ts, 4), init: { ts, mem: 4 } } })
  harness.scrape({ pods: pods(110) })
  harness.scrape({ pods: pods(120) })
  expect(harness.pod('web')).toBe('incomplete')
  expect(harness.points.dropped).toEqual({ waiting: 0, incomplete: 1 })
  expect(harness.pod('web', new Set(['init']))).toEqual(one({ cpu: '1', memory: '4Mi' }, 120, '10s'))
})

test('case 10: a pod whose new container has no rate yet is not served in part', () => {
  const harness = new Harness()
  harness.scrape({ pods: { web: { a: C(0, 110, 1, 4) } } })
  harness.scrape({ pods: { web: { a: C(0, 120, 2, 4), b: C(0, 120, 2, 4) } } })
  expect(harness.pod('web')).toBe('waiting')
  harness.scrape({ pods: { web: { a: C(0, 130, 3, 4), b: C(0, 130, 3, 4) } } })
  expect(harness.pod('web')).toMatchObject({ containers: [{ name: 'a' }, { name: 'b' }] })
})

test('case 14: a node without memory is left out, its pods are served', () => {
  const harness = new Harness()
  for (const ts of [110, 120]) {
    const stored = harness.scrape({ node: { ts, cpu: ts }, pods: { web: { app: C(0, ts, ts, 5) } } })
    expect(stored.nodeIncomplete).toBe(true)
  }
  expect(harness.node()).toBeUndefined()
  expect(harness.pod('web')).toEqual(one(one$, 120, '10s'))
})

test('case 16: time and window of a pod are those of its oldest container', () => {
  const harness = new Harness()
  harness.scrape({ pods: { web: { a: C(0, 110, 1, 4), b: C(0, 110, 1, 4) } } })
  harness.scrape({ pods: { web: { a: C(0, 125, 2, 4), b: C(0, 124, 2, 4) } } })
  expect(harness.pod('web')).toMatchObject({ timestamp: at(124), window: '14s' })
})

test('case 22: a scrape that failed costs nothing until the points are stale; upstream’s rules forget the node', () => {
  for (const isStrict of [false, true]) {
    const harness = new Harness({ resolutionMs: 15_000, staleAfterMs: 37_500, isStrict })
    const scrape = (ts: number) => harness.scrape({ node: { ts, cpu: ts, mem: 5 }, pods: { web: { app: C(-1000, ts, ts, 5) } } })
    scrape(15)
    harness.after(14)
    scrape(30)
    harness.after(15)
    harness.missed()
    expect(harness.node()?.window).toBe(isStrict ? undefined : '15s')
    harness.after(14)
    scrape(60)
    expect(harness.node()?.window).toBe(isStrict ? undefined : '30s')
    expect(harness.pod('web')).toEqual(isStrict ? 'waiting' : one(one$, 60, '30s'))
    harness.after(38)
    expect(harness.node()).toBeUndefined()
    expect(harness.pod('web')).toBe('stale')
    harness.missed()
    expect(harness.pod('web')).toBe('unknown')
    expect(harness.points.servable).toEqual({ nodes: 0, containers: 0 })
  }
})

test('a clock that is set on a node begins its windows anew', () => {
  const harness = new Harness()
  const scrape = (ts: number) => harness.scrape({ node: { ts, cpu: 1000 + ts, mem: 5 } })
  scrape(1_000)
  scrape(1_010)
  expect(harness.node()?.window).toBe('10s')
  expect(scrape(300).clockStepped).toBe(true)
  expect(harness.node()).toBeUndefined()
  scrape(310)
  expect(harness.node()?.window).toBe('10s')
})

test('a point of the future is no end of a window', () => {
  const harness = new Harness()
  harness.scrape({ node: { ts: 10, cpu: 10, mem: 5 } })
  const answer: NodeReading = { node: reading({ ts: 200, cpu: 20, mem: 5 }), containers: [], rejected: new Map() }
  expect(harness.points.store('n1', answer, { wallMs: origin + 20_000, elapsedMs: 20_000 }).clockStepped).toBe(true)
  expect(harness.node()).toBeUndefined()
})

test('of two nodes that say one pod the first has it, until it says it no more', () => {
  const harness = new Harness()
  const pods = (ts: number) => ({ web: { app: C(0, ts, ts, 5) } })
  harness.scrape({ name: 'a', pods: pods(110) })
  expect(harness.scrape({ name: 'b', pods: pods(111) }).duplicates).toEqual(['shop/web'])
  harness.scrape({ name: 'a', pods: pods(120) })
  expect(harness.pod('web')).toEqual(one(one$, 120, '10s'))
  harness.scrape({ name: 'a', node: { ts: 130, cpu: 1, mem: 1 } })
  expect(harness.pod('web')).toBe('unknown')
  expect(harness.scrape({ name: 'b', pods: pods(131) }).duplicates).toEqual([])
  harness.scrape({ name: 'b', pods: pods(141) })
  expect(harness.pod('web')).toEqual(one(one$, 141, '10s'))
})

test('of two nodes that say one pod the second has it where the first answers no more', () => {
  const harness = new Harness()
  const pods = (ts: number) => ({ web: { app: C(0, ts, ts, 5) } })
  harness.scrape({ name: 'a', pods: pods(110) })
  harness.after(100)
  harness.scrape({ name: 'b', pods: pods(211) })
  harness.scrape({ name: 'b', pods: pods(221) })
  expect(harness.pod('web')).toEqual(one(one$, 221, '10s'))
  harness.points.forget('a')
  expect(harness.pod('web')).toEqual(one(one$, 221, '10s'))
})

test('twenty rates are remembered', () => {
  const harness = new Harness({ staleAfterMs: 1e9 })
  for (let n = 0; n <= 25; n++) harness.scrape({ pods: { web: { app: C(-1000, n * 10, 1 + (n * n * 10) / 2, 5) } } })
  const rates = harness.points.containerRates('shop', 'web', 'app')
  expect(rates).toHaveLength(20)
  for (const [at, { cpuNanocores, memoryBytes }] of rates.entries()) {
    expect(Math.abs(cpuNanocores / ((5.5 + at) * 1e9) - 1)).toBeLessThan(0.0004)
    expect(Math.abs(memoryBytes / (5 * mebi) - 1)).toBeLessThan(0.0004)
  }
  expect(harness.points.containerRates('shop', 'web', 'gone')).toEqual([])
})

test('rates are remembered to 0.04 % of them or one unit, whatever their size, and 0 as 0', () => {
  const columns = new PointColumns()
  const slot = columns.take()
  const amounts = [
    0,
    ...Array.from({ length: 63 }, (_, power) => [2 ** power, 2 ** power * 1.37, 2 ** power * 1.99])
      .flat()
      .map(Math.trunc),
  ]
  for (const amount of amounts) {
    columns.noteRate(slot, amount, amount)
    const { cpuNanocores = Number.NaN, memoryBytes } = columns.rates(slot).at(-1) ?? {}
    expect(memoryBytes).toBe(cpuNanocores)
    expect(Math.abs(cpuNanocores - amount), `${amount}`).toBeLessThanOrEqual(
      amount < 3_000 ? Math.min(amount, 1) : amount * 0.0004,
    )
  }
})

test('rows that are given back are taken again without what they held', () => {
  const harness = new Harness()
  for (let n = 0; n < 50; n++) {
    harness.scrape({ pods: { [`web-${n}`]: { app: C(0, 120 + n, 1, 5) } } })
    expect(harness.pod(`web-${n}`)).toBe('waiting')
  }
  expect(harness.points.servable.containers).toBe(0)
  expect(harness.points.dropped).toEqual({ waiting: 1, incomplete: 0 })
  harness.points.forget('n1')
  expect(harness.points.dropped).toEqual({ waiting: 0, incomplete: 0 })
})
