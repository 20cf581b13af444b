// Agents that vanished: a heartbeat that nobody renews, by our own clock, makes its condition Unknown.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Condition, Node } from '#kube/objects/objects.ts'
import { formatTime } from '#kube/time/time.ts'
import { readinessConfiguration } from './config.ts'
import { type Heartbeats, hear, silentAfterMs, silentConditions } from './heartbeats.ts'
import { timedOutCondition } from './names.ts'
import { decideNode, type World } from './node-decision.ts'
import { isTelling, nodeFacts } from './node-facts.ts'
import { memoryKey } from './rules/own-decision.ts'
import { ownRules } from './rules/own-rules.ts'

const type = 'ballast.dev/MirrorReady'
const startMs = Date.parse('2026-03-02T04:00:00Z')
const silentMs = 620_000

function nodeWith(
  beat: string | undefined,
  status: 'True' | 'False' | 'Unknown' = 'True',
  more: readonly Condition[] = [],
): Node {
  const own = { type, status, ...(beat === undefined ? {} : { lastHeartbeatTime: beat }) }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1', uid: 'uid-n1', creationTimestamp: formatTime(startMs - 3_600_000) },
    spec: {},
    status: { conditions: [own, ...more] },
  }
}

/** What is known after looks at these times (milliseconds) with these heartbeats, and then at `elapsedMs`. */
function after(looks: readonly (readonly [number, string | undefined])[], elapsedMs: number): Heartbeats {
  let heard: Heartbeats['heard'] = new Map()
  for (const [atMs, beat] of looks) heard = hear(heard, [nodeFacts(nodeWith(beat))], { types: [type], elapsedMs: atMs })
  return { types: [type], silentMs, heard, elapsedMs }
}

test('two heartbeats, a question and its write may be missed', () => {
  expect(silentAfterMs({ heartbeatMs: 300_000, intervalMs: 10_000 })).toBe(630_000)
})

test.each([
  ['never seen before: believed', [], 0, 'a', []],
  ['unchanged for less than the time', [[0, 'a']], silentMs - 1, 'a', []],
  ['unchanged for the time', [[0, 'a']], silentMs, 'a', [type]],
  [
    'renewed meanwhile',
    [
      [0, 'a'],
      [500_000, 'b'],
    ],
    silentMs,
    'b',
    [],
  ],
  [
    'renewed, and then never again',
    [
      [0, 'a'],
      [500_000, 'b'],
    ],
    500_000 + silentMs,
    'b',
    [type],
  ],
  ['renewed since the last look', [[0, 'a']], silentMs, 'b', []],
  ['without a heartbeat: another’s, believed', [[0, undefined]], 10 * silentMs, undefined, []],
  ['a clock of the node that is a year behind', [[0, '2025-03-02T04:00:00Z']], silentMs - 1, '2025-03-02T04:00:00Z', []],
] as const)('%s', (_, looks, elapsedMs, beat, silent) => {
  expect(silentConditions(nodeFacts(nodeWith(beat)), after(looks, elapsedMs))).toEqual(silent)
})

test('a heartbeat alone wakes nobody', () => {
  expect(isTelling(nodeWith('a'), nodeWith('b'))).toBe(false)
  expect(isTelling(nodeWith('a'), nodeWith('a', 'False'))).toBe(true)
})

test('who renews in time is never silent, whatever the times of the looks', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: silentMs - 1 }), { minLength: 1, maxLength: 30 }), gaps => {
      let heard: Heartbeats['heard'] = new Map()
      let elapsedMs = 0
      for (const [at, gap] of gaps.entries()) {
        const facts = nodeFacts(nodeWith(String(at)))
        heard = hear(heard, [facts], { types: [type], elapsedMs })
        elapsedMs += gap
        expect(silentConditions(facts, { types: [type], silentMs, heard, elapsedMs })).toEqual([])
      }
    }),
  )
})

describe('a node whose agent vanished', () => {
  const config = readinessConfiguration.parse({
    rules: [{ name: 'mirror', mode: 'continuous', require: [{ condition: `${type}=True` }] }],
  })
  const world = (unmetForMs: number | undefined, heartbeats: Heartbeats): World => ({
    own: {
      rules: ownRules(config),
      daemonSets: { get: () => undefined },
      taintKey: 'ballast.dev/agent-not-ready',
      rulesSinceMs: new Map([['mirror', startMs - 60_000]]),
      unmetSinceMs:
        unmetForMs === undefined ? new Map() : new Map([[memoryKey({ uid: 'uid-n1' }, 'mirror'), startMs - unmetForMs]]),
    },
    heartbeats,
    rules: [],
    nidhogg: undefined,
    hasSeen: () => true,
  })
  const silent = after([[0, 'a']], silentMs)

  test('its condition becomes Unknown, and a continuous rule holds it after 30 s as for False', () => {
    const facts = nodeFacts(nodeWith('a'))
    const first = decideNode(facts, world(undefined, silent), startMs)
    expect(first.conditions).toEqual([
      {
        type,
        status: 'Unknown',
        reason: 'AgentVanished',
        message: 'the agent of the node has not written this condition for 620 s',
        lastTransitionTime: formatTime(startMs),
      },
    ])
    expect(first.own.verdicts).toMatchObject([
      { isMet: false, why: `condition ${type} is Unknown, not True`, unmetSinceMs: startMs },
    ])
    expect(first.marks.add).toEqual([])
    expect(decideNode(facts, world(30_000, silent), startMs).marks.add).toMatchObject([{ value: 'mirror', effect: 'NoSchedule' }])
  })

  test('what is written is not written again', () => {
    expect(decideNode(nodeFacts(nodeWith('a', 'Unknown')), world(undefined, silent), startMs).conditions).toEqual([])
  })

  test('a condition of time is written with its times', () => {
    const told: Condition = { type: timedOutCondition, status: 'True', reason: 'ReleasedByTimeout', message: 'm' }
    const decision = decideNode(nodeFacts(nodeWith('b', 'True', [told])), world(undefined, silent), startMs)
    expect(decision.conditions).toMatchObject([
      { type: timedOutCondition, status: 'False', lastTransitionTime: formatTime(startMs) },
    ])
  })
})
