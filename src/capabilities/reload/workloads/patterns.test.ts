import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { runsOf } from '#test/runs.ts'
import { CompiledPatterns, entryFor, namedSources as namedWith } from './patterns.ts'

const key = 'configmap.reloader.stakater.com/reload'
const namedSources = (of: string, text: string) => namedWith(of, text, new CompiledPatterns())

test('a hostile pattern takes time in proportion to the name', () => {
  const named = namedSources(key, '^(a+)+$')
  const work = (length: number) => {
    const started = process.cpuUsage()
    for (let run = 0; run < 200; run++) entryFor(named, `${'a'.repeat(length)}!`)
    return process.cpuUsage(started).user
  }
  work(100)
  // By backtracking 30 letters would take 2^20 times as long as 10.
  expect(entryFor(named, `${'a'.repeat(250)}!`)).toBeUndefined()
  expect(work(240)).toBeLessThan(100 * (work(24) + 1_000))
})

test('names without a meaning are looked up, patterns are compiled, names elsewhere are kept apart', () => {
  const named = namedSources(key, 'plain-1, my.config ,x*,shared/cfg')
  expect([...named.names]).toEqual(['plain-1'])
  expect(named.patterns.map(({ text }) => text)).toEqual(['my.config', 'x*'])
  expect(named.elsewhere).toEqual([{ namespace: 'shared', name: 'cfg' }])
})

test.each(['(', '[', 'a(?=b)', '(a)\\1', '*', 'a{1001}', '\\'])('%j is told or harmless, and the others count', bad => {
  const named = namedSources(key, `${bad},app`)
  expect(entryFor(named, 'app')).toBe('app')
  expect(() => entryFor(named, 'another')).not.toThrow()
})

test('a list without end is cut and told', () => {
  const named = namedSources(key, 'a,'.repeat(5_000))
  expect(named.problems).toHaveLength(1)
})

test('no text stops the reading or the matching', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 60, unit: 'grapheme' }), fc.string({ maxLength: 20 }), (text, name) => {
      const named = namedSources(key, text)
      expect([undefined, 'string']).toContain(entryFor(named, name) === undefined ? undefined : 'string')
    }),
    { numRuns: runsOf(500) },
  )
})

test('a name with dots is the pattern that RE2 makes of it', () => {
  const compiled = new CompiledPatterns()
  const dotted = fc.stringMatching(/^[a-b.-]{1,6}$/)
  fc.assert(
    fc.property(
      dotted,
      fc.oneof(dotted, fc.string({ maxLength: 6, unit: fc.constantFrom('a', 'b', '.', '\n', 'é', '😀') })),
      (entry, name) => {
        const parsed = compiled.pattern(entry)
        expect(entryFor(namedSources(key, entry), name) !== undefined).toBe(parsed.ok && parsed.value.isFoundIn(name))
      },
    ),
    { numRuns: runsOf(2_000) },
  )
})

test('a text is compiled once, and what is kept is bounded', () => {
  const compiled = new CompiledPatterns()
  const first = compiled.pattern('a.*')
  expect(compiled.pattern('a.*')).toBe(first)
  for (let index = 0; index < 1_000; index++) compiled.pattern(`x{${index}}`)
  expect(compiled.pattern('a.*')).not.toBe(first)
})

test('plain names match exactly what they say', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9-]{1,20}$/), fc.stringMatching(/^[a-z0-9-]{1,20}$/), (entry, name) => {
      expect(entryFor(namedSources(key, entry), name) !== undefined).toBe(entry === name)
    }),
  )
})
