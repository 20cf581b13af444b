import { describe, expect, test } from 'vitest'
import { isMissed, nextQuestionMs, ownerOf, type Sharing, sharingOf } from './share-of-nodes.ts'

const resolutionMs = 15_000
const nowMs = 1_000_000
const now = { nowMs, resolutionMs }
const two: Sharing = { own: 'a', others: ['b'] }
const three: Sharing = { own: 'a', others: ['b', 'c'] }

/** Each replica, and how long ago it last answered. */
test.each<[string, Sharing, Readonly<Record<string, number>>, Sharing]>([
  ['we are not in the list', undefined, {}, undefined],
  ['we are alone', { own: 'a', others: [] }, {}, undefined],
  ['another answers', two, { b: 3_000 }, two],
  ['another is silent, but not for long', two, { b: 29_999 }, two],
  ['another is silent', two, { b: 30_000 }, undefined],
  ['one of two is silent', three, { b: 30_000, c: 0 }, { own: 'a', others: ['c'] }],
  ['one was never seen', three, { b: Infinity, c: 0 }, { own: 'a', others: ['c'] }],
])('who shares: %s', (_, ready, silence, expected) => {
  expect(sharingOf(ready, name => nowMs - (silence[name] ?? 0), now)).toEqual(expected)
})

describe('whose a node is', () => {
  const nodes = Array.from({ length: 100 }, (_, number) => `n${number}`)

  test('every node is somebody’s, whatever each sees of the others', () => {
    for (const node of nodes) {
      expect(ownerOf(node, undefined)).toBeUndefined()
      const seen = ['a', 'b', 'c'].map(own => ownerOf(node, { own, others: ['a', 'b', 'c'].filter(one => one !== own) }) ?? own)
      expect(new Set(seen).size).toBe(1)
    }
  })

  test('one that sees fewer asks more, and never less', () => {
    for (const node of nodes) if (ownerOf(node, three) === undefined) expect(ownerOf(node, two)).toBeUndefined()
  })
})

test.each<[string, number | undefined, boolean]>([
  ['never heard of', undefined, true],
  ['of this tick', 7_000, false],
  ['a moment before', 14_999, false],
  ['of the last tick', 15_000, true],
  ['long ago', 600_000, true],
])('a node whose points are %s', (_, agoMs, expected) => {
  expect(isMissed(agoMs === undefined ? undefined : nowMs - agoMs, now)).toBe(expected)
})

test.each<[string, readonly number[], number]>([
  ['nothing was heard', [], 3_000],
  ['all are young', [1_000, 2_000], 3_000],
  ['the first is due in two seconds', [13_000, 1_000], 2_000],
  ['the first is due now', [15_000, 1_000], 1_000],
  ['one is somewhat late', [20_000], 1_000],
  ['one is so late that we ask for it', [22_500], 3_000],
  ['one is long gone', [600_000], 3_000],
])('a replica is left alone while %s', (_, agoMs, expected) => {
  expect(
    nextQuestionMs(
      agoMs.map(ago => nowMs - ago),
      now,
    ),
  ).toBe(expected)
})
