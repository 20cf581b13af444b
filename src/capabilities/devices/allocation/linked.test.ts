import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Share } from '../discovery/offers.ts'
import { type Kinship, linkedShares } from './linked.ts'
import { nearestSet } from './nearest-set.ts'

const sumOf = (ids: readonly string[], weight: Kinship['weight']): number =>
  ids.reduce((sum, id, index) => sum + ids.slice(0, index).reduce((all, other) => all + weight(id, other), 0), 0)

function subsets(ids: readonly string[], count: number): readonly (readonly string[])[] {
  if (count === 0) return [[]]
  return ids.flatMap((id, index) => subsets(ids.slice(index + 1), count - 1).map(rest => [id, ...rest]))
}

/** GPUs with weights between each two. */
const graph = fc
  .integer({ min: 2, max: 7 })
  .chain(size =>
    fc.array(fc.constantFrom(40, 50, 70, 90), { minLength: size * size, maxLength: size * size }).map(of => ({ size, of })),
  )
  .map(({ size, of }) => {
    const ids = Array.from({ length: size }, (_, index) => `0000:0${index}:00.0`)
    const weight = (left: string, right: string) => {
      const [low = 0, high = 0] = [ids.indexOf(left), ids.indexOf(right)].sort((one, other) => one - other)
      return of[low * size + high] ?? 0
    }
    return { ids, weight }
  })

const share = (id: string, device = id): Share => ({ id, device, isHealthy: true, numaNodes: [], nodes: [], mounts: [] })
const kinship = (weight: Kinship['weight'] = () => 50): Kinship => ({ weight, gpuOf: id => id, placeOf: () => 0 })

describe('whole GPUs', () => {
  test('no other set is nearer, with those that must be', () => {
    fc.assert(
      fc.property(graph, fc.nat(), fc.nat(), ({ ids, weight }, some, more) => {
        const must = ids.slice(0, some % ids.length)
        const size = must.length + 1 + (more % (ids.length - must.length))
        const shares = new Map(ids.map(id => [id, share(id)]))
        const found = linkedShares({ available: ids, mustInclude: must, size }, shares, kinship(weight), false)
        expect(new Set(found).size).toBe(size)
        const best = Math.min(
          ...subsets(
            ids.filter(id => !must.includes(id)),
            size - must.length,
          ).map(rest => sumOf([...must, ...rest], weight)),
        )
        expect(sumOf(found, weight)).toBe(best)
      }),
      { numRuns: 300 },
    )
  })
})

describe('partitions', () => {
  const groupsOf = (sizes: readonly number[]) =>
    sizes.map((size, at) => ({ name: `gpu${at}`, ids: Array.from({ length: size }, (_, part) => `gpu${at}-${part}`) }))
  const near = (left: string, right: string) => (left.split('-')[0] === right.split('-')[0] ? 30 : 50)

  test.each([
    [[2, 4], 2, ['gpu0-0', 'gpu0-1']],
    [[2, 4], 3, ['gpu1-0', 'gpu1-1', 'gpu1-2']],
    [[2, 4], 5, ['gpu1-0', 'gpu1-1', 'gpu1-2', 'gpu1-3', 'gpu0-0']],
    [[1, 1, 4], 2, ['gpu2-0', 'gpu2-1']],
  ] as const)('of GPUs with %j free, %i are wanted', (sizes, count, expected) => {
    expect(nearestSet(groupsOf(sizes), [], count, near)).toEqual(expected)
  })

  test('so many that not every set can be tried are answered at once, and whole', () => {
    const groups = groupsOf(Array.from({ length: 40 }, (_, at) => 1 + (at % 3)))
    const found = nearestSet(groups, [], 31, near)
    expect(new Set(found).size).toBe(31)
    expect(sumOf(found, near)).toBeLessThan(sumOf(groups.flatMap(({ ids }) => ids[0] ?? []).slice(0, 31), near))
  })
})

describe('shared GPUs', () => {
  const shares = new Map(
    ['a', 'b'].flatMap(gpu => [0, 1, 2].map(number => [`${gpu}-${number}`, share(`${gpu}-${number}`, gpu)] as const)),
  )
  const ask = (size: number, mustInclude: readonly string[] = [], isOneDevice = false) =>
    linkedShares({ available: [...shares.keys()], mustInclude, size }, shares, kinship(), isOneDevice)

  test('each gives one share before any gives two', () => {
    expect(ask(2)).toEqual(['a-0', 'b-0'])
    expect(ask(2, ['b-1'])).toEqual(['b-1', 'a-0'])
    expect(ask(5)).toEqual(['a-0', 'b-0', 'a-1', 'b-1', 'a-2'])
  })
  test('or all are of one, where one has enough', () => {
    expect(ask(2, [], true)).toEqual(['a-0', 'a-1'])
    expect(ask(2, ['b-2'], true)).toEqual(['b-2', 'b-0'])
    expect(ask(4, [], true)).toHaveLength(4)
  })
})
