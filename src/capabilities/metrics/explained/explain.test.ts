import { describe, expect, test } from 'vitest'
import type { Node, Pod } from '#kube/objects/objects.ts'
import { everything, parseLabelSelector } from '#kube/objects/selector.ts'
import { explain, type Rule } from './explain.ts'
import type { KubeletReading, MetricsFacts } from './metrics-facts.ts'

const beganMs = Date.parse('2026-03-01T12:00:00Z')
/** Seconds before the first reading. */
const hour = 3_600

interface Told {
  readonly pod?: string
  readonly container?: string
  readonly cpu?: number | string
  readonly memory?: number | string
  /** Seconds after the beginning. */
  readonly at?: number
  readonly started?: number | undefined
}

function linesOf({ pod = 'web', container = 'app', cpu, memory, at = 0, started }: Told): readonly string[] {
  const labels = `{container="${container}",namespace="shop",pod="${pod}"}`
  const timeMs = beganMs + at * 1_000
  return [
    ...(cpu === undefined ? [] : [`container_cpu_usage_seconds_total${labels} ${cpu} ${timeMs}`]),
    ...(memory === undefined ? [] : [`container_memory_working_set_bytes${labels} ${memory} ${timeMs}`]),
    ...(started === undefined ? [] : [`container_start_time_seconds${labels} ${beganMs / 1_000 + started}`]),
  ]
}

const nodeLines = (cpu: number | string, at: number, memory: number | string = 1e9) => [
  `node_cpu_usage_seconds_total ${cpu} ${beganMs + at * 1_000}`,
  `node_memory_working_set_bytes ${memory} ${beganMs + at * 1_000}`,
]

function reading(lines: readonly string[], at: number): KubeletReading {
  const ms = beganMs + at * 1_000
  return { kind: 'body', body: Buffer.from(`${lines.join('\n')}\n`), sentMs: ms, wallMs: ms, elapsedMs: at * 1_000 }
}

const two = (first: readonly Told[], second: readonly Told[], more: readonly string[] = []): readonly KubeletReading[] => [
  reading([...nodeLines(100, 0), ...first.flatMap(linesOf)], 1),
  reading([...nodeLines(130, 15), ...second.flatMap(linesOf), ...more], 16),
]
const old = (change: Told = {}): Told => ({ cpu: 100, memory: 5e6, started: -hour, ...change })
const later = (change: Told = {}): Told => old({ cpu: 101.5, at: 15, ...change })

const pod = (change: Partial<Pod> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { nodeName: 'n1', containers: [{ name: 'app' }] },
  status: { phase: 'Running' },
  ...change,
})
const node: Node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n1' },
  status: { conditions: [{ type: 'Ready', status: 'True' }] },
}

const facts = (change: Partial<MetricsFacts>): MetricsFacts => ({
  kind: 'PodMetrics',
  name: 'web',
  namespace: 'shop',
  api: { kind: 'refused', message: 'not found' },
  service: undefined,
  pod: pod(),
  node,
  readings: [],
  others: [],
  unasked: 0,
  rules: { resolutionMs: 15_000, staleAfterMs: 37_500, isStrict: false },
  nodeSelector: everything,
  ...change,
})
const ended = pod({
  status: { phase: 'Running', containerStatuses: [{ name: 'app', state: { terminated: {} } }] } as NonNullable<Pod['status']>,
})
const selector = parseLabelSelector('zone=a')
const silent: KubeletReading = { kind: 'silent', message: 'error trying to reach service' }

describe('why a pod is served or left out', () => {
  // biome-ignore format: a table
  test.each<[string, Partial<MetricsFacts>, Rule, string, boolean | undefined]>([
    ['served',                              { readings: two([old()], [later()]) },                                                              'served',            'Served: 1 container',                              true],
    ['there is none',                       { pod: undefined },                                                                                 'no-such-pod',       'no pod web',                                       undefined],
    ['it is over',                          { pod: pod({ status: { phase: 'Succeeded' } }) },                                                   'not-running',       'Succeeded',                                        undefined],
    ['it has no phase',                     { pod: pod({ status: {} }) },                                                                       'not-running',       'not known',                                        undefined],
    ['its node is gone',                    { node: undefined },                                                                                'no-such-node',      'no node n1',                                       undefined],
    ['its node is not asked',               { nodeSelector: selector.ok ? selector.value : everything },                                        'node-not-selected', 'nodeSelector',                                     undefined],
    ['it may not be read',                  { readings: [{ kind: 'forbidden', message: 'nodes "n1" is forbidden' }] },                          'may-not-read',      'nodes/proxy',                                      undefined],
    ['its node is silent',                  { readings: [silent] },                                                                             'node-silent',       'does not answer',                                  undefined],
    ['its node falls silent',               { readings: [...two([old()], []).slice(0, 1), silent] },                                            'node-silent',       'error trying to reach',                            undefined],
    ['its node is not ready',               { readings: [silent], node: { ...node, status: {} } },                                              'node-silent',       'not Ready',                                        undefined],
    ['no metrics',                          { readings: [reading(['<html>'], 1)] },                                                             'no-metrics',        'something else than metrics',                      undefined],
    ['told by nobody',                      { readings: two([old({ pod: 'other' })], [later({ pod: 'other' })]) },                              'untold',            'does not say it',                                  false],
    ['told by nobody that was asked',       { readings: two([], []), unasked: 7 },                                                              'untold',            '7 other nodes were not asked',                     false],
    ['told by another node',                { readings: two([], []), others: [{ node: 'n2', reading: reading(linesOf(old()), 1) }] },           'other-node',        'n2 does',                                          false],
    ['told by another node, too',           { readings: two([old()], [later()]), others: [{ node: 'n2', reading: reading(linesOf(old()), 1) }] }, 'served',          'n2 says this pod, too',                            true],
    ['all ended',                           { readings: two([old()], [later()]), pod: ended },                                                  'all-ended',         'have ended',                                       true],
    ['without CPU, its start known',        { readings: two([old({ cpu: 0 })], [later({ cpu: 0 })]) },                                          'served',            'Served',                                           false],
    ['without CPU, its start not known',    { readings: two([old({ cpu: 0, started: undefined })], [later({ cpu: 0, started: undefined })]) },  'incomplete',        'its CPU is 0, and since when it runs is not known', false],
    ['without memory and start',            { readings: two([], [{ cpu: 1, at: 15 }]) },                                                        'incomplete',        'its memory is not said',                           false],
    ['a part of the pod is missing',        { readings: two([old(), old({ container: 'b', cpu: 0, started: undefined })], [later(), later({ container: 'b', cpu: 0, started: undefined })]) }, 'incomplete', 'A part of the pod', false],
    ['a rejected value',                    { readings: two([old()], [later({ cpu: 'NaN' })]) },                                                'line-rejected',     'its value is no measurement',                      false],
    ['a line that cannot be read',          { readings: two([old()], [later({ cpu: 'much' })]) },                                               'line-rejected',     'it cannot be read',                                false],
    ['a time that is none',                 { readings: two([old()], [later({ at: -1e10 })]) },                                                 'line-rejected',     'its time is none',                                 false],
    ['labels that name no container',       { readings: two([], [], ['container_cpu_usage_seconds_total{namespace="shop",pod="web"} 1 1']) },   'line-rejected',     'its labels name no container',                     false],
    ['one reading of what is old',          { readings: two([old()], []).slice(0, 1) },                                                         'one-point',         'one reading was made; it was 1h0m0s old then: its start counts as a point only below the resolution, 15 s', false],
    ['one reading of what is young',        { readings: two([old({ started: -9 })], []).slice(0, 1) },                                          'one-point',         'it was 9 s old then: its start counts as a point from 10 s on', false],
    ['one reading of what is fresh',        { readings: two([old({ started: -12 })], []).slice(0, 1) },                                         'served',            'Served',                                           true],
    ['one reading without a start',         { readings: two([old({ started: undefined })], []).slice(0, 1) },                                   'one-point',         'its start is not known',                           false],
    ['the same measurement twice',          { readings: two([old()], [old()]) },                                                                'one-point',         'both readings say the same measurement',           false],
    ['only the second has it',              { readings: two([], [later()]) },                                                                   'one-point',         'only the second reading has it',                   false],
    ['restarted between',                   { readings: two([old()], [later({ started: 8, cpu: 1 })]) },                                        'one-point',         'it was restarted between the readings',            false],
    ['an earlier time than before',         { readings: two([old()], [old({ at: -5 })]) },                                                      'one-point',         'the later reading is of an earlier time',          false],
    ['its counter fell',                    { readings: two([old()], [later({ cpu: 50 })]) },                                                   'counter-fell',      'fell without a restart',                           false],
    ['a container that nobody measures',    { readings: two([old()], [later()]), pod: pod({ spec: { nodeName: 'n1', containers: [{ name: 'app' }, { name: 'b' }] } as Pod['spec'] }) }, 'served', 'does not say b', true],
    ['a line of another pod is rejected',   { readings: two([old()], [later(), later({ pod: 'other', cpu: 'NaN' })]) },                         'served',            'Served',                                           false],
  ])('%s', async (_name, change, rule, words, strict) => {
    const found = await explain(facts(change))
    expect([found.rule, found.sentences.join(' '), found.strict?.isServed]).toEqual([rule, expect.stringContaining(words), strict])
    expect(found.values.length > 0).toBe(rule === 'served')
  })
})

test('values and raw lines, of that pod alone', async () => {
  const found = await explain(facts({ readings: two([old(), old({ pod: 'web-2' })], [later(), later({ pod: 'web-2' })]) }))
  expect(found.values).toEqual([
    { container: 'app', cpu: '100m', memory: '5000000', timestamp: '2026-03-01T12:00:15Z', window: '15s' },
  ])
  expect(found.lines.map(({ reading: of, container, text }) => [of, container, text.split('{')[0]])).toEqual(
    [1, 2].flatMap(of =>
      ['container_cpu_usage_seconds_total', 'container_memory_working_set_bytes', 'container_start_time_seconds'].map(text => [
        of,
        'app',
        text,
      ]),
    ),
  )
})

describe('why a node is served or left out', () => {
  const nodes = (first: readonly string[], second: readonly string[]) => ({ readings: [reading(first, 1), reading(second, 16)] })
  // biome-ignore format: a table
  test.each<[string, Partial<MetricsFacts>, Rule, string, boolean | undefined]>([
    ['served',             nodes(nodeLines(100, 0), nodeLines(130, 15)),             'served',            'Served',                          true],
    ['there is none',      { node: undefined },                                      'no-such-node',      'no node n1',                      undefined],
    ['not selected',       { nodeSelector: selector.ok ? selector.value : everything }, 'node-not-selected', 'nodeSelector',                 undefined],
    ['silent',             { readings: [silent] },                                   'node-silent',       'does not answer',                 undefined],
    ['not to be read',     { readings: [{ kind: 'forbidden', message: 'no' }] },     'may-not-read',      'nodes/proxy',                     undefined],
    ['without memory',     nodes(nodeLines(100, 0), nodeLines(130, 15, 0)),          'incomplete',        'its memory is 0. Its pods are served', false],
    ['without anything',   nodes(linesOf(old()), linesOf(later())),                  'incomplete',        'its CPU is not said, its memory is not said', false],
    ['a rejected value',   nodes(nodeLines(100, 0), nodeLines('-1', 15)),            'line-rejected',     'its value is no measurement',     false],
    ['its counter fell',   nodes(nodeLines(100, 0), nodeLines(90, 15)),              'counter-fell',      'fell',                            false],
    ['one reading',        { readings: [reading(nodeLines(100, 0), 1)] },            'one-point',         'one reading was made',            false],
    ['nothing new',        nodes(nodeLines(100, 0), nodeLines(100, 0)),              'one-point',         'both readings say the same',      false],
  ])('%s', async (_name, change, rule, words, strict) => {
    const found = await explain(facts({ kind: 'NodeMetrics', name: 'n1', namespace: undefined, pod: undefined, ...change }))
    expect([found.rule, found.sentences.join(' '), found.strict?.isServed]).toEqual([rule, expect.stringContaining(words), strict])
  })
})
