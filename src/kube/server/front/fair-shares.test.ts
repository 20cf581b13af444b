import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FairShares } from './fair-shares.ts'

/** Shares of which each holder is `<peer><number>`. */
function taken(capacity: number, ...holders: readonly (readonly [holder: string, amount: number])[]): FairShares<string> {
  const shares = new FairShares<string>(capacity)
  for (const [holder, amount] of holders) shares.take(holder, holder.charAt(0), amount)
  return shares
}
const oldest = (holder: string) => 100 - Number(holder.slice(1))

describe('who gives way', () => {
  // biome-ignore format: a table
  test.each<[string, FairShares<string>, string, number, string | undefined]>([
    ['the oldest of the peer with the most',             taken(3, ['a1', 1], ['a2', 1], ['b1', 1]), 'c', 1, 'a1'],
    ['the same for a peer that then has as many',        taken(3, ['a1', 1], ['a2', 1], ['b1', 1]), 'b', 1, 'a1'],
    ['its own, for the peer with the most',              taken(3, ['a1', 1], ['a2', 1], ['b1', 1]), 'a', 1, 'a1'],
    ['its own, where others would have less than it',    taken(4, ['a1', 2], ['b1', 2]),            'b', 1, 'b1'],
    ['the oldest of all, where all have as many',        taken(2, ['a2', 1], ['b1', 1]),            'c', 1, 'b1'],
    ['nobody, where nobody who may has more',            taken(4, ['a1', 4]),                       'c', 5, undefined],
  ])('%s', (_case, shares, peer, amount, expected) => {
    expect(shares.displaced(peer, amount, oldest)).toBe(expected)
  })

  test('not one that may not', () => {
    expect(taken(2, ['a1', 1], ['a2', 1]).displaced('b', 1, holder => (holder === 'a1' ? undefined : 1))).toBe('a2')
  })
})

test('whatever a flood does, a newcomer of a peer with less gets in, and who has least loses nothing', () => {
  const acts = fc.array(fc.record({ peer: fc.constantFrom('a', 'b', 'c', 'd'), amount: fc.integer({ min: 1, max: 3 }) }), {
    maxLength: 80,
  })
  fc.assert(
    fc.property(acts, all => {
      const shares = new FairShares<string>(12)
      const peers = ['a', 'b', 'c', 'd']
      for (const [at, { peer, amount }] of all.entries()) {
        while (!shares.fits(amount)) {
          const displaced = shares.displaced(peer, amount, oldest)
          const most = Math.max(...peers.map(one => shares.heldBy(one)))
          if (displaced === undefined) {
            // Only who has the most, or would, is refused.
            expect(shares.heldBy(peer) + amount).toBeGreaterThan(most)
            break
          }
          const loser = displaced.charAt(0)
          if (loser !== peer) expect(shares.heldBy(loser)).toBe(most)
          shares.release(displaced)
        }
        if (shares.fits(amount)) shares.take(`${peer}${at}`, peer, amount)
        expect(shares.used).toBe(peers.reduce((sum, one) => sum + shares.heldBy(one), 0))
        expect(shares.used).toBeLessThanOrEqual(12)
      }
    }),
  )
})
