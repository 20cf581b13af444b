// Our own rules: tables of the states of a node, and what holds whatever happens.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Node, Taint } from '#kube/objects/objects.ts'
import { formatTime } from '#kube/time/time.ts'
import { readinessConfiguration } from '../config.ts'
import { isOwnTaint, ownTaintKeys, releasedAnnotation, timedOutAnnotation } from '../names.ts'
import { isNothing } from '../node-decision.ts'
import { nodeFacts } from '../node-facts.ts'
import { decideOwn, graceMs, memoryKey, type NodeMarks, type OwnWorld } from './own-decision.ts'
import { ownRules } from './own-rules.ts'

const startMs = Date.parse('2026-03-02T04:00:00Z')
const minute = 60_000
const [taintKey] = ownTaintKeys

interface Given {
  readonly ageMs?: number
  readonly taints?: readonly Taint[]
  readonly annotations?: Readonly<Record<string, string>>
  readonly conditions?: Readonly<Record<string, 'True' | 'False' | 'Unknown'>> | undefined
  readonly labels?: Readonly<Record<string, string>>
  readonly deleting?: boolean
}

function node({ ageMs = 0, taints = [], annotations = {}, conditions = {}, labels = {}, deleting = false }: Given): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: 'n1',
      uid: 'uid-n1',
      creationTimestamp: formatTime(startMs - ageMs),
      annotations,
      labels,
      ...(deleting ? { deletionTimestamp: formatTime(startMs) } : {}),
    },
    spec: { taints },
    status: { conditions: Object.entries(conditions).map(([type, status]) => ({ type, status })) },
  }
}

function world(
  rules: readonly object[],
  over: Partial<OwnWorld> & { readonly ready?: readonly string[]; readonly present?: readonly string[] } = {},
): OwnWorld {
  const { ready = [], present = ready, ...rest } = over
  const config = readinessConfiguration.parse({ rules })
  return {
    rules: ownRules(config),
    daemonSets: {
      get: (namespace, name) =>
        `${namespace}/${name}` === 'agents/mirror' ? { ready: new Set(ready), present: new Set(present) } : undefined,
    },
    taintKey,
    rulesSinceMs: new Map(config.rules.map(({ name }) => [name, startMs - 60 * minute])),
    unmetSinceMs: new Map(),
    ...rest,
  }
}

const mirror = { name: 'mirror', require: [{ condition: 'ballast.dev/MirrorReady=True' }] }
const agent = { name: 'agent', require: [{ daemonSet: 'agents/mirror' }] }
const always = { ...mirror, name: 'always', mode: 'continuous' }
const released = { [releasedAnnotation]: '2026-03-02T03:00:00Z' }
const held = (value: string, minutesAgo?: number): Taint => ({
  key: taintKey,
  effect: 'NoSchedule',
  value,
  ...(minutesAgo === undefined ? {} : { timeAdded: formatTime(startMs - minutesAgo * minute) }),
})
const foreign: Taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }
const ready = { 'ballast.dev/MirrorReady': 'True' } as const
const now = formatTime(startMs)
const adds = (value: string, timeAdded = now) => ({
  add: [{ key: taintKey, effect: 'NoSchedule', value, timeAdded }],
  remove: [],
  annotations: {},
})
const removes = { add: [], remove: [{ key: taintKey, effect: 'NoSchedule' }], annotations: { [releasedAnnotation]: now } }
const givesUp = (rule: string) => ({ ...removes, annotations: { [releasedAnnotation]: now, [timedOutAnnotation]: rule } })
const nothing = { add: [], remove: [], annotations: {} }

const table: readonly (readonly [
  string,
  Given,
  readonly object[],
  NodeMarks | typeof nothing,
  string,
  Partial<Parameters<typeof world>[1]>?,
])[] = [
  ['a new node is held', {}, [mirror], adds('mirror'), 'New'],
  ['one that is held stays so', { taints: [held('mirror')] }, [mirror], nothing, 'Tainted'],
  ['others’ taints are not its business', { taints: [foreign, held('mirror')], conditions: ready }, [mirror], removes, 'Ready'],
  ['let go when all is met', { taints: [held('mirror')], conditions: ready }, [mirror], removes, 'Ready'],
  [
    'met from the start: marked, never held',
    { conditions: ready },
    [mirror],
    { ...nothing, annotations: { [releasedAnnotation]: now } },
    'Released',
  ],
  ['done is done', { annotations: released }, [mirror], nothing, 'Released'],
  ['older than the rule: never held', { ageMs: 61 * minute }, [mirror], nothing, 'Released'],
  [
    'older, but registered with the taint: held from now on',
    { ageMs: 61 * minute, taints: [held('x')] },
    [mirror],
    { ...adds('mirror') },
    'Tainted',
  ],
  ['tainted, and no rule speaks of it: let go', { taints: [held('x')] }, [], removes, ''],
  [
    'of other labels: let go',
    { taints: [held('x')], labels: { role: 'db' } },
    [{ ...mirror, nodeSelector: { matchLabels: { role: 'web' } } }],
    removes,
    '',
  ],
  ['the pod is there and not Ready', { taints: [held('agent')] }, [agent], nothing, 'AgentStarting', { present: ['n1'] }],
  ['the pod is Ready', { taints: [held('agent')] }, [agent], removes, 'Ready', { ready: ['n1'] }],
  [
    'there is no such DaemonSet: held',
    { taints: [held('gone')] },
    [{ name: 'gone', require: [{ daemonSet: 'agents/none' }] }],
    nothing,
    'Tainted',
  ],
  [
    'the value is the first that is not met',
    { taints: [held('agent')], conditions: {} },
    [agent, mirror],
    { ...nothing, add: [{ key: taintKey, effect: 'NoSchedule', value: 'mirror', timeAdded: now }] },
    'Ready',
    { ready: ['n1'] },
  ],
  ['over its time: let go, noted', { ageMs: 10 * minute, taints: [held('mirror')] }, [mirror], givesUp('mirror'), 'TimedOut'],
  ['a second before that: held', { ageMs: 10 * minute - 1_000, taints: [held('mirror')] }, [mirror], nothing, 'Tainted'],
  [
    'over its time: held on where that is said',
    { ageMs: 10 * minute, taints: [held('mirror')] },
    [{ ...mirror, onTimeout: 'hold' }],
    nothing,
    'TimedOut',
  ],
  [
    'one that may let go and one that holds on: held',
    { ageMs: 10 * minute, taints: [held('hard')] },
    [mirror, { ...mirror, name: 'hard', onTimeout: 'hold' }],
    { ...nothing, annotations: { [timedOutAnnotation]: 'mirror' } },
    'TimedOut',
  ],
  [
    'there is no such DaemonSet, and its time is over: let go',
    { ageMs: 10 * minute, taints: [held('gone')] },
    [{ name: 'gone', require: [{ daemonSet: 'agents/none' }] }],
    givesUp('gone'),
    'TimedOut',
  ],
  [
    'its time counts from the taint where that came later',
    { ageMs: 60 * minute, taints: [held('mirror', 9)] },
    [mirror],
    nothing,
    'Tainted',
  ],
  ['tainted for its time: let go', { ageMs: 60 * minute, taints: [held('mirror', 10)] }, [mirror], givesUp('mirror'), 'TimedOut'],
  [
    'let go by time, still unmet: remembered',
    { ageMs: 20 * minute, annotations: { ...released, [timedOutAnnotation]: 'mirror' } },
    [mirror],
    nothing,
    'TimedOut',
  ],
  [
    'let go by time, met since: forgotten',
    { ageMs: 20 * minute, annotations: { ...released, [timedOutAnnotation]: 'mirror' }, conditions: ready },
    [mirror],
    { ...nothing, annotations: { [timedOutAnnotation]: null } },
    'Released',
  ],
  ['a clock that is behind makes no node old', { ageMs: -30 * minute, taints: [held('mirror')] }, [mirror], nothing, 'Tainted'],
  ['being deleted: left alone', { deleting: true }, [mirror], nothing, ''],
  ['being deleted and tainted: left alone', { deleting: true, taints: [held('x')], conditions: ready }, [mirror], nothing, ''],
  ['continuous, let go before, away for less than 30 s', { annotations: released }, [always], nothing, 'Released'],
  [
    'continuous, away for 30 s: held again',
    { annotations: released },
    [always],
    adds('always'),
    'New',
    { unmetSinceMs: new Map([[memoryKey({ uid: 'uid-n1' }, 'always'), startMs - graceMs]]) },
  ],
  [
    'continuous, older than the rule, away for 30 s: held',
    { ageMs: 99 * minute },
    [always],
    { ...adds('always'), annotations: { [releasedAnnotation]: now } },
    'New',
    { unmetSinceMs: new Map([[memoryKey({ uid: 'uid-n1' }, 'always'), startMs - graceMs]]) },
  ],
  [
    'continuous, held again, back: let go',
    { annotations: released, taints: [held('always', 1)], conditions: ready },
    [always],
    removes,
    'Ready',
  ],
  [
    'continuous, held again for too long: let go, noted',
    { annotations: released, taints: [held('always', 11)] },
    [{ ...always, onTimeout: 'release' }],
    { ...removes, annotations: { [releasedAnnotation]: now, [timedOutAnnotation]: 'always' } },
    'TimedOut',
  ],
  [
    'continuous, had its time, still away: not held',
    { annotations: { ...released, [timedOutAnnotation]: 'always' } },
    [{ ...always, onTimeout: 'release' }],
    nothing,
    'TimedOut',
  ],
  [
    'continuous, had its time, back: forgotten',
    { annotations: { ...released, [timedOutAnnotation]: 'always' }, conditions: ready },
    [{ ...always, onTimeout: 'release' }],
    { ...nothing, annotations: { [timedOutAnnotation]: null } },
    'Released',
  ],
  [
    'a continuous rule holds: one for new nodes does not',
    { annotations: released, taints: [held('always', 1)] },
    [mirror, always],
    nothing,
    'Released',
  ],
  [
    'the taint of an earlier configuration is exchanged',
    { taints: [{ ...held('mirror', 1), key: ownTaintKeys[1] }] },
    [mirror],
    { ...adds('mirror', formatTime(startMs - minute)), remove: [{ key: ownTaintKeys[1], effect: 'NoSchedule' }] },
    'Tainted',
  ],
]

describe('what our rules want of a node', () => {
  const rows = table.map(([name, given, rules, marks, state, over = {}]) => ({ name, given, rules, marks, state, over }))
  test.each(rows)('$name', ({ given, rules, marks, state, over }) => {
    const decision = decideOwn(nodeFacts(node(given)), world(rules, over), startMs)
    expect(decision.marks).toEqual(marks)
    expect(decision.verdicts[0]?.state ?? '').toBe(state)
  })

  test('states while the files of the mirror are written', () => {
    const one = nodeFacts(node({ taints: [held('mirror')] }))
    const states = (['todo', 'running', 'done'] as const).map(
      how => decideOwn(one, world([mirror], { configuration: () => how }), startMs).verdicts[0]?.state,
    )
    expect(states).toEqual(['Tainted', 'Configuring', 'Configured'])
  })

  test('it says when to look again', () => {
    const decision = decideOwn(nodeFacts(node({ ageMs: minute, taints: [held('mirror')] })), world([mirror]), startMs)
    expect(decision.nextMs).toBe(startMs + 9 * minute)
  })
})

/** What the condition of a node over its time is to say. */
describe('what is told of rules over their time', () => {
  const hard = { ...mirror, onTimeout: 'hold' }
  const why = "rule 'mirror': condition ballast.dev/MirrorReady is missing, True is required"
  const late = { status: 'True', message: why } as const
  const over = { ageMs: 10 * minute, taints: [held('mirror')] }
  const gone = { ageMs: 10 * minute, annotations: { ...released, [timedOutAnnotation]: 'mirror' } }
  const right = { status: 'False', reason: 'WithinTime', message: 'no rule is over its time' } as const
  test.each([
    ['within its time, never over it: nothing', { taints: [held('mirror')] }, mirror, undefined, undefined],
    ['held on', over, hard, undefined, { ...late, reason: 'HeldOverTime' }],
    ['to be let go, not written yet: nothing', over, mirror, undefined, undefined],
    ['let go', gone, mirror, undefined, { ...late, reason: 'ReleasedByTimeout' }],
    [
      'an agent’s words are exchanged',
      gone,
      mirror,
      { ...late, reason: 'ReleasedByAgent' },
      { ...late, reason: 'ReleasedByTimeout' },
    ],
    ['told already: nothing', gone, mirror, { ...late, reason: 'ReleasedByTimeout' }, undefined],
    ['met at last: taken back', { ...gone, conditions: ready }, mirror, { ...late, reason: 'ReleasedByTimeout' }, right],
    ['taken back already: nothing', { ...gone, conditions: ready }, mirror, right, undefined],
    ['being deleted: nothing', { ...gone, deleting: true }, mirror, undefined, undefined],
  ] as const)('%s', (_, given, rule, timeoutTold, tells) => {
    expect(decideOwn({ ...nodeFacts(node(given)), timeoutTold }, world([rule]), startMs).tells).toEqual(tells)
  })
})

/** The node after the write. */
function written(before: Node, { add, remove, annotations }: NodeMarks): Node {
  const same = (a: { key: string; effect: string }, b: { key: string; effect: string }) =>
    a.key === b.key && a.effect === b.effect
  const kept = (before.spec?.taints ?? []).filter(taint => ![...add, ...remove].some(one => same(one, taint)))
  const all = Object.entries({ ...before.metadata.annotations, ...annotations })
  return {
    ...before,
    metadata: {
      ...before.metadata,
      annotations: Object.fromEntries(all.flatMap(([key, value]) => (value === null ? [] : [[key, value]]))),
    },
    spec: { ...before.spec, taints: [...kept, ...add] },
  }
}

const givens = fc.record({
  ageMs: fc.integer({ min: -minute, max: 120 * minute }),
  taints: fc.subarray([foreign, held('mirror'), held('always', 5), { ...held('old'), key: ownTaintKeys[2] }]),
  annotations: fc
    .subarray([releasedAnnotation, timedOutAnnotation])
    .map(keys => Object.fromEntries(keys.map(key => [key, key === releasedAnnotation ? '2026-03-02T03:00:00Z' : 'always']))),
  conditions: fc.constantFrom<Given['conditions']>({}, ready, { 'ballast.dev/MirrorReady': 'False' }),
})
const ruleSets = fc.subarray([
  mirror,
  agent,
  always,
  { ...always, name: 'hard', onTimeout: 'hold' },
  { ...mirror, name: 'once', onTimeout: 'hold' },
])
const readies = fc.constantFrom<readonly string[]>([], ['n1'])

describe('whatever a node is like', () => {
  test('what is written once is not wanted again, and is right at once', () => {
    fc.assert(
      fc.property(givens, ruleSets, readies, (given, rules, up) => {
        const around = world(rules, { ready: up })
        const before = node(given)
        const after = written(before, decideOwn(nodeFacts(before), around, startMs).marks)
        expect(isNothing(decideOwn(nodeFacts(after), around, startMs).marks)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  test('taints of others stay as they are', () => {
    fc.assert(
      fc.property(givens, ruleSets, readies, (given, rules, up) => {
        const { marks } = decideOwn(nodeFacts(node(given)), world(rules, { ready: up }), startMs)
        expect([...marks.add, ...marks.remove].filter(taint => !isOwnTaint(taint))).toEqual([])
      }),
    )
  })

  test('all is met: it is free after one write', () => {
    fc.assert(
      fc.property(givens, ruleSets, (given, rules) => {
        const before = node({ ...given, conditions: ready })
        const after = written(before, decideOwn(nodeFacts(before), world(rules, { ready: ['n1'] }), startMs).marks)
        expect((after.spec?.taints ?? []).filter(isOwnTaint)).toEqual([])
      }),
    )
  })

  test('nobody is stranded: unless a rule says hold, nothing holds a node a day later', () => {
    fc.assert(
      fc.property(givens, ruleSets, (given, rules) => {
        const soft = rules.map(rule => ({ ...rule, onTimeout: undefined }))
        let at = node(given)
        for (const atMs of [startMs, startMs + 24 * 60 * minute, startMs + 24 * 60 * minute])
          at = written(at, decideOwn(nodeFacts(at), world(soft), atMs).marks)
        expect((at.spec?.taints ?? []).filter(isOwnTaint)).toEqual([])
      }),
    )
  })
})
