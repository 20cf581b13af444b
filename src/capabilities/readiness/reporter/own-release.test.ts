// When an agent lets its own node go: a table of what it sees, and that it is always later than a controller would be.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Node, Taint } from '#kube/objects/objects.ts'
import { formatTime } from '#kube/time/time.ts'
import { readinessConfiguration } from '../config.ts'
import { isOwnTaint, ownTaintKeys, releasedAnnotation, timedOutAnnotation } from '../names.ts'
import { nodeFacts } from '../node-facts.ts'
import { decideOwn } from '../rules/own-decision.ts'
import { ownRules } from '../rules/own-rules.ts'
import { decideOwnRelease, nowOnServer } from './own-release.ts'

const startMs = Date.parse('2026-03-02T04:00:00Z')
const minute = 60_000
const [key] = ownTaintKeys
const ready = { 'ballast.dev/MirrorReady': 'True' } as const
const mirror = { name: 'mirror', require: [{ condition: 'ballast.dev/MirrorReady=True' }] }
const agent = { name: 'agent', require: [{ daemonSet: 'agents/mirror' }] }
const foreign: Taint = { key: 'example.com/other', effect: 'NoSchedule' }

interface Given {
  readonly ageMin: number
  readonly taints?: readonly Taint[]
  readonly conditions?: Readonly<Record<string, 'True' | 'False' | 'Unknown'>>
}

/** Our taint, set so many minutes ago by a controller or webhook; without, by the kubelet. */
const ours = (value?: string, minutesAgo?: number): Taint => ({
  key,
  effect: 'NoSchedule',
  ...(value === undefined ? {} : { value }),
  ...(minutesAgo === undefined ? {} : { timeAdded: formatTime(startMs - minutesAgo * minute) }),
})

function facts({ ageMin, taints = [ours('mirror')], conditions = {} }: Given) {
  const node: Node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1', uid: 'uid-n1', creationTimestamp: formatTime(startMs - ageMin * minute) },
    spec: { taints },
    status: { conditions: Object.entries(conditions).map(([type, status]) => ({ type, status })) },
  }
  return nodeFacts(node)
}

const noted = (names: string) => ({ [releasedAnnotation]: formatTime(startMs), [timedOutAnnotation]: names })
const done = { [releasedAnnotation]: formatTime(startMs) }

test.each([
  ['no taint of ours', { ageMin: 99, taints: [foreign] }, [mirror], {}, { kind: 'free' }],
  ['switched off', { ageMin: 99 }, [mirror], { agent: { release: false } }, { kind: 'free' }],
  ['within the time and its margin', { ageMin: 14 }, [mirror], {}, { kind: 'waits', untilMs: startMs + minute }],
  ['over both', { ageMin: 15 }, [mirror], {}, { kind: 'released', marks: { annotations: noted('mirror') } }],
  [
    'all is met, and nobody let it go',
    { ageMin: 15, conditions: ready },
    [mirror],
    {},
    { kind: 'released', marks: { annotations: done } },
  ],
  ['no rule speaks of it', { ageMin: 15 }, [], {}, { kind: 'released', marks: { annotations: done } }],
  [
    'a DaemonSet, which it does not see',
    { ageMin: 15 },
    [agent],
    {},
    { kind: 'released', marks: { annotations: noted('agent') } },
  ],
  [
    'a rule that says hold',
    { ageMin: 99 },
    [{ ...mirror, onTimeout: 'hold' }],
    {},
    { kind: 'held', why: "rule 'mirror': condition ballast.dev/MirrorReady is missing, True is required" },
  ],
  [
    'a rule that says hold, and is met',
    { ageMin: 15, conditions: ready },
    [{ ...mirror, onTimeout: 'hold' }],
    {},
    { kind: 'released', marks: { annotations: done } },
  ],
  [
    'the longest time counts',
    { ageMin: 20 },
    [mirror, { ...agent, timeout: '30m' }],
    {},
    { kind: 'waits', untilMs: startMs + 15 * minute },
  ],
  ['tainted later', { ageMin: 99, taints: [ours('mirror', 2)] }, [mirror], {}, { kind: 'waits', untilMs: startMs + 13 * minute }],
] as const)('%s', (_, given, rules, over, expected) => {
  const config = readinessConfiguration.parse({ rules, ...over })
  expect(decideOwnRelease(facts(given), config, startMs)).toMatchObject(expected)
})

test.each([
  ['right', 0, [-1], 0],
  ['an hour ahead: the last write and a heartbeat count', 60, [-9, -1, -3], 4],
  ['behind', -60, [-1], -60],
  ['an hour ahead, and the server notes no writes', 60, [], 60],
])('the clock of the node is %s', (_, aheadMin, writtenMin, expectedMin) => {
  const entry = { manager: 'kubelet', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: {} } as const
  const written = writtenMin.map(min => ({ ...entry, time: formatTime(startMs + min * minute) }))
  const node = { metadata: { name: 'n1', managedFields: [...written, entry] } }
  const nowMs = startMs + aheadMin * minute
  expect(nowOnServer(node, readinessConfiguration.parse({}), nowMs)).toBe(startMs + expectedMin * minute)
})

test('it takes away every taint of ours, and none of another', () => {
  const taints = [foreign, ...ownTaintKeys.map((one): Taint => ({ ...ours('mirror', 30), key: one }))]
  const decision = decideOwnRelease(facts({ ageMin: 99, taints }), readinessConfiguration.parse({ rules: [mirror] }), startMs)
  expect(decision.kind === 'released' && decision.marks).toMatchObject({
    add: [],
    remove: ownTaintKeys.map(one => ({ key: one })),
  })
})

test('what an agent lets go, a controller that lives has let go five minutes before', () => {
  const rules = fc.subarray([
    mirror,
    { ...mirror, name: 'hard', onTimeout: 'hold' },
    { ...mirror, name: 'long', timeout: '25m' },
    { ...mirror, name: 'always', mode: 'continuous' },
  ])
  const given = fc.record({
    ageMin: fc.integer({ min: 0, max: 60 }),
    taints: fc.integer({ min: 0, max: 60 }).map(ago => [foreign, ours('mirror', ago)]),
    conditions: fc.constantFrom<NonNullable<Given['conditions']>>({}, ready),
  })
  fc.assert(
    fc.property(rules, given, (some, of) => {
      const config = readinessConfiguration.parse({ rules: some })
      const node = facts(of)
      if (decideOwnRelease(node, config, startMs).kind !== 'released') return
      const world = {
        rules: ownRules(config),
        daemonSets: { get: () => undefined },
        taintKey: key,
        rulesSinceMs: new Map(config.rules.map(({ name }) => [name, startMs - 999 * minute])),
        unmetSinceMs: new Map(),
      }
      for (const atMs of [startMs - 5 * minute, startMs])
        expect(decideOwn(node, world, atMs).marks.remove.some(isOwnTaint)).toBe(true)
    }),
  )
})
