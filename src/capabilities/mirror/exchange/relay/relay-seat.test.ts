// One node's part in a download that several want: whom it asks, whom it follows, when it fetches itself.
import { describe, expect, test } from 'vitest'
import { type FollowAnswer, hasPlace, type KeeperAnswer, orderOf, RelaySeat } from './relay-seat.ts'

/** `a` is nearest, `z` farthest. */
const distance = (id: string): bigint => BigInt(id.codePointAt(0) ?? 0)

describe('the order of those that are near', () => {
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

type Answers = Readonly<Record<string, KeeperAnswer | FollowAnswer>>

const isOfKeeper = (answer: KeeperAnswer | FollowAnswer): answer is KeeperAnswer =>
  answer.kind === 'lead' || answer.kind === 'follow' || answer.kind === 'nothing'

/** What a seat does, a word each: `a?` asks a who fetches, `a` follows a. Who is slow is slow for all the time that is waited. */
function play(self: string, others: string, answers: Answers, most = 14, holdMs = 2_000): string {
  const seat = new RelaySeat({ self, order: orderOf([self, ...others], distance), nowMs: 0, holdMs })
  const done: string[] = []
  let nowMs = 0
  for (let step = 0; step < most; step++) {
    const action = seat.next(nowMs)
    if (action.kind === 'ask') {
      const word = `${action.keeper}?`
      done.push(action.failed === undefined ? word : `${word}${action.failed.why}=${action.failed.peer}`)
      const answer = answers[word] ?? { kind: 'nothing' }
      if (isOfKeeper(answer)) seat.told(answer)
      nowMs += 1
    } else if (action.kind === 'follow') {
      done.push(action.peer)
      const answer = answers[action.peer] ?? { kind: 'gone' }
      nowMs += answer.kind === 'slow' ? action.withinMs : 1
      if (!isOfKeeper(answer)) seat.followed(action.peer, answer)
    } else if (action.kind === 'wait') {
      done.push(`${action.ms}ms`)
      nowMs += action.ms
    } else return [...done, action.kind].join(' ')
  }
  return done.join(' ')
}

describe('a node', () => {
  const follow = (...peers: string[]): KeeperAnswer => ({ kind: 'follow', peers })
  // biome-ignore format: a table
  test.each<readonly [name: string, self: string, others: string, answers: Answers, does: string]>([
    ['alone asks itself, and fetches', 'b', '', { 'b?': { kind: 'lead' } }, 'b? lead'],
    ['asks the nearest, and fetches', 'c', 'ab', { 'a?': { kind: 'lead' } }, 'a? lead'],
    ['that is nearest asks itself', 'a', 'bc', { 'a?': { kind: 'lead' } }, 'a? lead'],
    ['asks the next where the nearest does not know', 'c', 'abd', { 'b?': { kind: 'lead' } }, 'a? b? lead'],
    ['fetches where three do not know', 'e', 'abcd', {}, 'a? b? c? lead'],
    ['fetches where nobody is left to ask', 'b', 'a', {}, 'a? b? lead'],
    ['says who of those it was told is gone', 'd', 'abc', { 'a?': follow('b') }, 'a? b a?gone=b b 25ms a?gone=b b 50ms a?gone=b b 100ms a?gone=b b 200ms'],
    ['waits for a first byte for four fifths of the time, then for the rest', 'd', 'abc', { 'a?': follow('b'), b: { kind: 'slow' } }, 'a? b a?slow=b b give-up'],
    ['goes on to whom one without a place names', 'd', 'abc', { 'a?': follow('b'), b: { kind: 'full', peers: ['e', 'c'] } }, 'a? b e c a?full=b b e c 25ms a?full=b b e c 50ms'],
    ['follows each of those it is told, one after the other', 'd', 'abc', { 'a?': follow('b', 'c') }, 'a? b c a?gone=b b c 25ms a?gone=b b c 50ms a?gone=b b c'],
    ['never follows itself', 'd', 'abc', { 'a?': follow('d') }, 'a? b? c? lead'],
    ['does not go on to itself', 'd', 'abc', { 'a?': follow('b'), b: { kind: 'full', peers: ['d'] } }, 'a? b a?full=b b 25ms a?full=b b 50ms a?full=b b 100ms a?full=b b 200ms'],
  ])('%s', (_name, self, others, answers, does) => expect(play(self, others, answers)).toBe(does))

  test('gives up at the deadline', () => {
    expect(play('d', 'abc', { 'a?': follow('b') }, 50, 100)).toBe('a? b a?gone=b b 25ms a?gone=b b 50ms a?gone=b b 17ms give-up')
  })
})
