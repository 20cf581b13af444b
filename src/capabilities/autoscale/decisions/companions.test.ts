import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Companion, keptAwake, wakesProblems } from './companions.ts'

/** `a*>b c`: a is active and needs b and c; `a+` is awake. */
function companions(...lines: readonly string[]): readonly Companion[] {
  return lines.map(line => {
    const [head = '', rest = ''] = line.split('>')
    const name = head.replace(/[*+]/g, '')
    const wakes = rest.split(' ').filter(one => one !== '')
    return { name, wakes, isActive: head.includes('*'), isAwake: head.includes('+') }
  })
}

const keptOf = (...lines: readonly string[]) =>
  [...keptAwake(companions(...lines))].map(([name, { by, via }]) => `${name}<${by}${via === by ? '' : ` by ${via}`}`).toSorted()

describe('who is kept awake', () => {
  test.each<[string, readonly string[], readonly string[]]>([
    ['nobody is active or awake', ['a>b', 'b'], []],
    ['who is active keeps those that it names', ['a*>b c', 'b', 'c'], ['b<a', 'c<a']],
    ['who is awake, too', ['a+>b', 'b'], ['b<a']],
    ['and they those that they name', ['a*>b', 'b>c', 'c'], ['b<a', 'c<a by b']],
    ['one that is not there hinders none', ['a*>x b', 'b'], ['b<a', 'x<a']],
    ['the first by name is told', ['z*>b', 'a*>b', 'b'], ['b<a']],
    ['who is active in a circle keeps all of it', ['a*>b', 'b>c', 'c>a'], ['b<a', 'c<a by b']],
    ['who is merely awake in a circle keeps none of it', ['a+>b', 'b+>a'], []],
    ['but those outside', ['a+>b c', 'b+>a', 'c>d', 'd'], ['c<a', 'd<a by c']],
    ['itself is no circle that holds', ['a+>a'], []],
  ])('%s', (_what, lines, expected) => expect(keptOf(...lines)).toEqual(expected))

  const names = ['a', 'b', 'c', 'd', 'e']
  const world = fc.tuple(
    ...names.map(name =>
      fc.record({
        name: fc.constant(name),
        wakes: fc.uniqueArray(fc.constantFrom(...names)),
        isActive: fc.boolean(),
        isAwake: fc.boolean(),
      }),
    ),
  )

  test('once nobody is active, all go to sleep, in whatever circles they are', () => {
    fc.assert(
      fc.property(world, given => {
        let all: readonly Companion[] = given.map(one => ({ ...one, isActive: false }))
        // Each round whoever is not kept sleeps, as it does after its cool-down; whoever is kept wakes.
        for (let round = 0; round <= names.length; round++) {
          const kept = keptAwake(all)
          all = all.map(one => ({ ...one, isAwake: kept.has(one.name) }))
        }
        expect(all.filter(({ isAwake }) => isAwake)).toEqual([])
      }),
    )
  })

  test('whom an active one needs, however far, is kept', () => {
    fc.assert(
      fc.property(world, given => {
        const kept = keptAwake(given)
        const isUp = (name: string) => kept.has(name) || given.some(one => one.name === name && one.isActive)
        for (const { name, wakes, isActive } of given)
          if (isActive || kept.has(name)) for (const needed of wakes) expect(needed === name || isUp(needed)).toBe(true)
      }),
    )
  })
})

test('a namespace in which all need many others is walked in steps that its names bound', () => {
  const names = Array.from({ length: 100 }, (_, at) => `n${at}`)
  let reads = 0
  const all = names.map((name, at): Companion => {
    const wakes = Array.from({ length: 16 }, (_, one) => names[(at + one + 1) % names.length] ?? '')
    return {
      name,
      isActive: false,
      isAwake: true,
      get wakes() {
        reads++
        return wakes
      },
    }
  })
  expect(keptAwake(all).size).toBe(0)
  // Twice each for each of them, where all are in one circle.
  expect(reads).toBeLessThan(3 * names.length ** 2)
})

test('names that are not there and circles are told', () => {
  const known: Readonly<Record<string, readonly string[]>> = { a: ['b', 'x'], b: ['c'], c: ['a'], d: ['a'] }
  const told = (name: string) => wakesProblems(name, one => known[one])
  expect(told('a')).toEqual([
    'annotation ballast.dev/wakes names x, and there is no such ScaledObject in this namespace',
    'annotation ballast.dev/wakes leads in a circle (a, b, c): there only who is active keeps the others awake, not who is merely awake',
  ])
  expect(told('d')).toEqual([])
})
