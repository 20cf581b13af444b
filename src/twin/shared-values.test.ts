import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runsOf } from '#test/runs.ts'
import { frozen } from './json-value.ts'
import { SharedValues } from './shared-values.ts'

const json = fc.letrec(tie => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false, '', 'a', 'kube-api-access-x7k2p', 'kube-api-access-x7k2q', 0, 1, -1.5, 2 ** 40),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor'), tie('value'), { maxKeys: 4 }),
  ),
})).value

const copy = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe('shared values', () => {
  test('have the same bytes, are frozen through, and change nothing that is frozen', () => {
    fc.assert(
      fc.property(fc.array(json, { maxLength: 30 }), fc.boolean(), (values, areFrozen) => {
        const pool = new SharedValues()
        for (const [index, value] of values.entries()) {
          const text = JSON.stringify(value)
          const given = areFrozen ? frozen(copy(value)) : copy(value)
          const shared = pool.shared(given, index === 0 ? undefined : values[index - 1])
          expect(JSON.stringify(shared)).toBe(text)
          expect(isFrozenThrough(shared)).toBe(true)
          if (areFrozen) expect(JSON.stringify(given)).toBe(text)
          // What it is like is shared, as the state before is.
          const next = pool.shared(copy(values[index + 1] ?? value), shared)
          expect(JSON.stringify(next)).toBe(JSON.stringify(values[index + 1] ?? value))
          expect(isFrozenThrough(next)).toBe(true)
        }
      }),
      { numRuns: runsOf(300) },
    )
  })

  test('are one from the third on', () => {
    const pool = new SharedValues()
    const [, second, third, fourth] = Array.from({ length: 4 }, () => pool.shared({ spec: { image: ['registry.example/a'] } }))
    expect(third).toBe(second)
    expect(fourth).toBe(second)
  })

  test('are those of the one before at the same place, at once', () => {
    const pool = new SharedValues()
    const before = pool.shared({ spec: { image: 'a', ports: [{ port: 80 }] }, status: { phase: 'Pending' } })
    const after = pool.shared({ spec: { image: 'a', ports: [{ port: 80 }] }, status: { phase: 'Running' } }, before)
    expect(after.spec).toBe(before.spec)
    expect(after).not.toBe(before)
    expect(pool.shared({ spec: { image: 'a', ports: [{ port: 80 }] }, status: { phase: 'Pending' } }, before)).toBe(before)
  })

  test.each([
    ['a field', { image: 'a', port: 81 }],
    ['the first field', { image: 'b', port: 80 }],
    ['a field that is there no more', { image: 'a' }],
    ['a field more', { image: 'a', port: 80, name: 'web' }],
  ])('that differ from what they are like by %s are one with those that are like nothing', (_what, value) => {
    const pool = new SharedValues()
    const before = pool.shared({ image: 'a', port: 80 })
    const listBefore = pool.shared([null, true, 'registry.example/a', 7])
    pool.shared({ ...value })
    pool.shared([null, true, 'registry.example/a', 8])
    const second = pool.shared({ ...value }, before)
    expect(pool.shared({ ...value })).toBe(second)
    const list = pool.shared([null, true, 'registry.example/a', 8], listBefore)
    expect(pool.shared([null, true, 'registry.example/a', 8])).toBe(list)
  })

  test('differ where only the order of fields does', () => {
    const pool = new SharedValues()
    const one = pool.shared({ a: 1, b: 2 })
    expect(JSON.stringify(pool.shared({ b: 2, a: 1 }, one))).toBe('{"b":2,"a":1}')
  })

  test('lose fields that are absent', () => {
    const pool = new SharedValues()
    expect(Object.keys(pool.shared({ a: 1, b: undefined }))).toEqual(['a'])
    expect(Object.keys(pool.shared(Object.freeze({ a: 1, b: undefined }), { a: 1 }))).toEqual(['a'])
  })

  test('count what is new', () => {
    const pool = new SharedValues()
    const value = () => ({ spec: { image: 'registry.example/something', command: ['a', 'b'] } })
    const costs = [1, 2, 3].map(() => {
      const before = pool.freshBytes
      pool.shared(value())
      return pool.freshBytes - before
    })
    expect(costs[0]).toBeGreaterThan(80)
    expect(costs[2]).toBe(0)
  })
})

function isFrozenThrough(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  return Object.isFrozen(value) && Object.values(value).every(isFrozenThrough)
}
