// Held to a plain Map that is sorted each time.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SortedMapEditor } from './sorted-map.ts'

const key = fc.oneof(
  fc.string({ maxLength: 4 }),
  fc.nat(2_000).map(number => `key-${number}`),
)
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('set' as const), keys: fc.array(key, { maxLength: 400 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), keys: fc.array(key, { maxLength: 400 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('snapshot' as const), keys: fc.array(key, { maxLength: 5 }) }) },
)

interface Value {
  readonly number: number
}

function sorted(map: ReadonlyMap<string, Value>): readonly [string, Value][] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

test('it is a Map in order, and its snapshots stay', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), steps => {
      const plain = new Map<string, Value>()
      const editor = new SortedMapEditor<Value>()
      const snapshots: (() => void)[] = []
      let number = 0
      for (const { kind, keys } of steps) {
        if (kind === 'set') {
          for (const one of keys) {
            const value = { number: number++ }
            plain.set(one, value)
            editor.set(one, value)
          }
        } else if (kind === 'delete') {
          for (const one of keys) {
            plain.delete(one)
            editor.delete(one)
          }
        } else {
          const map = editor.snapshot()
          const expected = sorted(plain)
          expect(editor.snapshot()).toBe(map)
          snapshots.push(() => {
            expect([...map]).toEqual(expected)
            expect(map.size).toBe(expected.length)
            expect([...map.keys()]).toEqual(expected.map(([one]) => one))
            expect([...map.values()]).toEqual(expected.map(([, value]) => value))
            expect(map.list()).toEqual([...map.values()])
            const known = new Map(expected)
            for (const one of [...keys, 'key-7']) {
              expect(map.get(one)).toBe(known.get(one))
              expect(map.has(one)).toBe(known.has(one))
              expect([...map.under(one)]).toEqual(expected.filter(([other]) => other.startsWith(one)).map(([, value]) => value))
            }
          })
        }
        expect(editor.size).toBe(plain.size)
      }
      expect([...editor.snapshot()]).toEqual(sorted(plain))
      for (const check of snapshots) check()
    }),
    { numRuns: 150 },
  )
})

test('setting what is there already changes nothing', () => {
  const editor = new SortedMapEditor<Value>()
  const value = { number: 1 }
  editor.set('a', value)
  const map = editor.snapshot()
  editor.set('a', value)
  editor.delete('b')
  expect(editor.snapshot()).toBe(map)
})
