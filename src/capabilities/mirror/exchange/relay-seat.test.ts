// Who leads a download that several want, and how the others come to its bytes: one node by rows, many nodes by simulation.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hasPlace, mostFollowers, orderOf, RelaySeat, type SeatAnswer } from './relay-seat.ts'

/** `a` is nearest, `z` farthest. */
const distance = (id: string): bigint => BigInt(id.codePointAt(0) ?? 0)
const seatOf = (self: string, others: string, deadlineMs = 2_000): RelaySeat =>
  new RelaySeat({ self, order: orderOf([self, ...others], distance), deadlineMs })

describe('the order of those that want it', () => {
  test.each([
    ['by distance', ['c', 'a', 'b'], ['a', 'b', 'c']],
    ['each once', ['b', 'a', 'b'], ['a', 'b']],
    ['by id where the distance is the same', ['ab', 'aa'], ['aa', 'ab']],
    ['none', [], []],
  ])('%s', (_name, ids, order) => expect(orderOf(ids, distance)).toEqual(order))
})

describe('a place beside others', () => {
  test.each([
    ['of a first one', [], 'd', true],
    ['of a third one', ['a', 'b'], 'd', true],
    ['of a fourth one', ['a', 'b', 'c'], 'd', false],
    ['of one that has it', ['a', 'b', 'c'], 'b', true],
  ])('%s', (_name, seated, asker, has) => expect(hasPlace(new Set(seated), asker)).toBe(has))
})

/** What a seat does, one word each, when everybody answers so. */
function play(seat: RelaySeat, answers: Readonly<Record<string, SeatAnswer>>, most = 12): string {
  const done: string[] = []
  let nowMs = 0
  for (let step = 0; step < most; step++) {
    const action = seat.next(nowMs)
    if (action.kind === 'ask') {
      done.push(action.peer)
      seat.answered(action.peer, answers[action.peer] ?? { kind: 'nothing' })
      nowMs += 1
    } else if (action.kind === 'wait') {
      done.push(`${action.ms}ms`)
      nowMs += action.ms
    } else return [...done, action.kind].join(' ')
  }
  return done.join(' ')
}

describe('a node', () => {
  // biome-ignore format: a table
  test.each<readonly [name: string, self: string, others: string, answers: Readonly<Record<string, SeatAnswer>>, does: string]>([
    ['alone leads', 'b', '', {}, 'lead'],
    ['that is nearest leads after the next two have not begun', 'a', 'bcd', {}, 'b c lead'],
    ['that is nearest asks whom one that has begun names', 'a', 'bcd', { b: { kind: 'ask', peers: ['d'] } }, 'b d c lead'],
    ['that is not nearest asks the nearest, and again', 'b', 'a', {}, 'a 25ms a 50ms a 100ms a 200ms a 400ms a 400ms'],
    ['goes on to those that it is named', 'd', 'abc', { a: { kind: 'ask', peers: ['b', 'c'] } }, 'a b c 25ms b c a 50ms b c a 100ms'],
    ['asks nobody it does not know, nor itself', 'd', 'a', { a: { kind: 'ask', peers: ['x', 'd'] } }, 'a 25ms a 50ms a 100ms a 200ms a 400ms a 400ms'],
    ['leads when the nearest is gone and it is next', 'b', 'ac', { a: { kind: 'unreachable' } }, 'a c lead'],
    ['asks the next when the nearest is gone', 'c', 'ab', { a: { kind: 'unreachable' } }, 'a b 25ms b 50ms b 100ms b 200ms b 400ms b'],
  ])('%s', (_name, self, others, answers, does) => expect(play(seatOf(self, others), answers)).toBe(does))

  test('gives up at the deadline', () => {
    const seat = seatOf('b', 'a', 100)
    expect(play(seat, {}, 50)).toBe('a 25ms a 50ms a 22ms give-up')
  })
})

/** A node of the simulation. */
interface SimulatedNode {
  readonly id: string
  readonly seat: RelaySeat
  /** It has bytes from this time on. */
  hasFromMs: number
  isDead: boolean
  readonly followers: Set<string>
  parent: string | undefined
  outcome: 'leads' | 'follows' | 'missed' | undefined
  nowMs: number
}

const registryMs = 200

/** Lets all nodes act, the one whose time is earliest first; returns them when each has its outcome. */
function simulate(nodes: ReadonlyMap<string, SimulatedNode>, hopMs: () => number): void {
  for (;;) {
    const [node] = [...nodes.values()]
      .filter(({ outcome, isDead }) => outcome === undefined && !isDead)
      .sort((one, other) => one.nowMs - other.nowMs)
    if (node === undefined) return
    const action = node.seat.next(node.nowMs)
    if (action.kind === 'wait') node.nowMs += action.ms
    else if (action.kind === 'lead') {
      node.outcome = 'leads'
      node.hasFromMs = node.nowMs + registryMs
    } else if (action.kind === 'give-up') {
      node.outcome = 'missed'
      node.hasFromMs = node.nowMs + registryMs
    } else {
      node.nowMs += Math.min(hopMs(), action.withinMs)
      const asked = nodes.get(action.peer)
      if (asked === undefined || asked.isDead) node.seat.answered(action.peer, { kind: 'unreachable' })
      else if (asked.hasFromMs > node.nowMs) node.seat.answered(action.peer, { kind: 'nothing' })
      else if (!hasPlace(asked.followers, node.id)) node.seat.answered(action.peer, { kind: 'ask', peers: [...asked.followers] })
      else {
        asked.followers.add(node.id)
        node.parent = asked.id
        node.outcome = 'follows'
        node.hasFromMs = node.nowMs + 1
      }
    }
  }
}

const clusters = fc.record({
  ids: fc.uniqueArray(fc.stringMatching(/^[a-z]{3}$/), { minLength: 1, maxLength: 40 }),
  seed: fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 8, maxLength: 8 }),
  begins: fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 40, maxLength: 40 }),
  dead: fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }),
})

function nodesOf({ ids, begins, dead }: { ids: string[]; begins: number[]; dead?: boolean[] }): Map<string, SimulatedNode> {
  const order = orderOf(ids, id => distance(id) * 1_000n + BigInt(id.codePointAt(1) ?? 0))
  return new Map(
    ids.map((id, index) => [
      id,
      {
        id,
        seat: new RelaySeat({ self: id, order, deadlineMs: (begins[index] ?? 0) + 2_000 }),
        hasFromMs: Number.POSITIVE_INFINITY,
        isDead: dead?.[index] ?? false,
        followers: new Set<string>(),
        parent: undefined,
        outcome: undefined,
        nowMs: begins[index] ?? 0,
      },
    ]),
  )
}

describe('all nodes that want a blob', () => {
  test('one leads, each other one follows it in the end, three at a time, in a tree', () => {
    fc.assert(
      fc.property(clusters, ({ ids, seed, begins }) => {
        const nodes = nodesOf({ ids, begins })
        let step = 0
        simulate(nodes, () => 1 + (seed[step++ % seed.length] ?? 0))
        const outcomes = [...nodes.values()].map(({ outcome }) => outcome)
        expect(outcomes.filter(outcome => outcome === 'leads')).toHaveLength(1)
        expect(outcomes).not.toContain('missed')
        for (const node of nodes.values()) {
          expect(node.followers.size).toBeLessThanOrEqual(mostFollowers)
          const way = new Set<string>()
          for (let at: SimulatedNode | undefined = node; at !== undefined; at = nodes.get(at.parent ?? '')) {
            expect(way.has(at.id)).toBe(false)
            way.add(at.id)
          }
        }
      }),
    )
  })

  test('whoever of them is dead: each living one ends by its deadline, and one leads', () => {
    fc.assert(
      fc.property(clusters, ({ ids, seed, begins, dead }) => {
        const nodes = nodesOf({ ids, begins, dead })
        let step = 0
        simulate(nodes, () => 1 + (seed[step++ % seed.length] ?? 0))
        const living = [...nodes.values()].filter(({ isDead }) => !isDead)
        for (const { outcome, nowMs } of living) {
          expect(outcome).toBeDefined()
          expect(nowMs).toBeLessThanOrEqual(2_000 + 40 + 31)
        }
        expect(living.length === 0 || living.some(({ outcome }) => outcome === 'leads')).toBe(true)
      }),
    )
  })
})
