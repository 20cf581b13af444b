// What timing decides of a recording's versions, and what it does not.
import { describe, expect, test } from 'vitest'
import type { WatchEvent } from '#test/fidelity-exchange.ts'
import { withJudgedBookmarks } from '#test/fidelity-versions.ts'
import { inOrderOfEffects } from '#test/real/clients/effect-order.ts'

const versioned = (resourceVersion: string) => ({ metadata: { resourceVersion } })
const added = (version: string): WatchEvent => ({ type: 'ADDED', object: versioned(version) })
const bookmark = (resourceVersion: string): WatchEvent => ({
  type: 'BOOKMARK',
  object: { metadata: { resourceVersion, annotations: { 'k8s.io/initial-events-end': 'true' } } },
})
const wrote = (version: string) => ({ answered: { answer: versioned(version) } })
const watched = (...events: readonly WatchEvent[]) => ({ answered: {}, events })

describe("a bookmark's version", () => {
  test('counts for nothing between those of its neighbours', () => {
    const [early, late] = ['5', '8'].map(version => withJudgedBookmarks([added('5'), added('3'), bookmark(version), added('9')]))
    expect(early).toEqual(late)
    expect(JSON.stringify(early)).not.toContain('"8"')
  })

  test.each([
    ['older than an initial event', [added('5'), bookmark('4'), added('9')]],
    ['as new as an event that follows', [added('5'), bookmark('9'), added('9')]],
    ['missing', [added('5'), { type: 'BOOKMARK', object: { metadata: {} } }]],
  ])('stays where it is %s', (_what, events) => {
    expect(withJudgedBookmarks(events)).toEqual(events)
  })
})

describe('what was under way at once', () => {
  test.each([
    ['a watch after the writes that it shows', [wrote('4'), wrote('5'), watched(bookmark('5'))], [0, 1, 2]],
    ['a watch before a write that began earlier and came later', [wrote('4'), wrote('6'), watched(bookmark('5'))], [0, 2, 1]],
    [
      'a watch between two writes that came in the other order',
      [wrote('6'), wrote('5'), watched(bookmark('5')), watched(bookmark('5'))],
      [1, 2, 3, 0],
    ],
    ['two watches in the order in which they began', [wrote('6'), watched(bookmark('5')), watched(bookmark('5'))], [1, 2, 0]],
    ['what says nothing of versions, as it began', [{}, wrote('6'), watched(added('7')), {}], [0, 1, 2, 3]],
  ])('%s', (_what, begun, order) => {
    expect(inOrderOfEffects(begun)).toEqual(order)
  })
})
