import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LayeredMap } from './layered-map.ts'

interface Step {
  readonly map: number
  readonly key: number
  readonly act: 'set' | 'delete' | 'fork'
}

const step: fc.Arbitrary<Step> = fc.record({
  map: fc.nat(7),
  key: fc.nat(40),
  act: fc.constantFrom('set', 'set', 'set', 'delete', 'delete', 'fork'),
})

test('is a map, and so is each fork, whatever the others do', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), steps => {
      const maps = [{ layered: new LayeredMap<{ readonly at: number }>(), plain: new Map<string, { readonly at: number }>() }]
      for (const [at, { map, key, act }] of steps.entries()) {
        const one = maps[map % maps.length]
        if (one === undefined) continue
        const value = { at }
        if (act === 'fork') maps.push({ layered: one.layered.fork(), plain: new Map(one.plain) })
        else if (act === 'set') {
          one.layered.set(String(key), value)
          one.plain.set(String(key), value)
        } else {
          one.layered.delete(String(key))
          one.plain.delete(String(key))
        }
      }
      for (const { layered, plain } of maps)
        for (let key = 0; key <= 40; key++) {
          expect(layered.get(String(key))).toBe(plain.get(String(key)))
          expect(layered.has(String(key))).toBe(plain.has(String(key)))
        }
    }),
  )
})
