import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Slab, Slabs, slabBytes } from './slabs.ts'

test('so many slabs are out at a time, whatever is held, let go of and grown; and it is told once when all are back', () => {
  const step = fc.record({ kind: fc.constantFrom('take', 'hold', 'release', 'grow'), at: fc.nat(20) })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 60 }), (most, steps) => {
      let emptied = 0
      let limit = most
      const slabs = new Slabs(most, () => emptied++)
      const holders: Slab[] = []
      for (const { kind, at } of steps) {
        const held = holders[at % Math.max(1, holders.length)]
        if (kind === 'take') {
          const isRoom = new Set(holders).size < limit
          expect(slabs.hasRoom).toBe(isRoom)
          const slab = slabs.take()
          expect(slab !== undefined).toBe(isRoom)
          if (slab !== undefined) holders.push(slab)
        } else if (kind === 'grow') {
          expect(slabs.grow(7)).toBe(limit < 7)
          limit = Math.min(limit + 1, Math.max(limit, 7))
        } else if (held !== undefined && kind === 'hold') {
          held.hold()
          holders.push(held)
        } else if (held !== undefined) {
          held.release()
          holders.splice(holders.indexOf(held), 1)
        }
        // No two of those that are out share memory.
        expect(new Set([...new Set(holders)].map(({ memory }) => memory)).size).toBe(new Set(holders).size)
      }
      slabs[Symbol.dispose]()
      slabs[Symbol.dispose]()
      expect([slabs.take(), emptied]).toEqual([undefined, holders.length === 0 ? 1 : 0])
      for (const slab of holders) slab.release()
      expect(emptied).toBe(1)
    }),
  )
})

test('room is told of when a slab comes back', () => {
  const slabs = new Slabs(1)
  const slab = slabs.take()
  let told = 0
  slabs.onRoom = () => told++
  expect([slab?.memory.length, slabs.hasRoom]).toEqual([slabBytes, false])
  slab?.release()
  expect([told, slabs.hasRoom]).toEqual([1, true])
  expect(() => slab?.release()).toThrow('twice')
  expect(() => slab?.hold()).toThrow('let go of')
})
