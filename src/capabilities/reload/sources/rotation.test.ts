import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { countingReport, type Rotation, reportOf, withReport } from './rotation.ts'

const windowMs = 120_000
const version = (text: string) => reportOf('spc', [{ id: 'password', version: text }])

function after(...reports: readonly (readonly [string, number])[]): Rotation {
  return reports.reduce<Rotation>((rotation, [text, nowMs]) => withReport(rotation, version(text), { nowMs, windowMs }), [])
}

function counts(rotation: Rotation, nowMs: number) {
  const found = countingReport(rotation, { nowMs, windowMs })
  return found && { version: found.report.versions, changesAtMs: found.changesAtMs }
}

describe('while pods rotate one after another', () => {
  test.each<[string, readonly (readonly [string, number])[], number, unknown]>([
    ['nothing was reported', [], 0, undefined],
    [
      'all agree',
      [
        ['v1', 0],
        ['v1', 1],
      ],
      2,
      { version: 'password=v1', changesAtMs: undefined },
    ],
    [
      'the greater counts',
      [
        ['v1', 0],
        ['v2', 1],
      ],
      2,
      { version: 'password=v2', changesAtMs: undefined },
    ],
    [
      'no way back while they flip',
      [
        ['v1', 0],
        ['v2', 1],
        ['v2', 2],
        ['v1', 3],
      ],
      4,
      { version: 'password=v2', changesAtMs: 120_002 },
    ],
    [
      'a lesser one counts once the window is over',
      [
        ['v2', 0],
        ['v1', 3],
      ],
      120_001,
      { version: 'password=v1', changesAtMs: undefined },
    ],
    [
      'one that comes after the window counts at once',
      [
        ['v2', 0],
        ['v1', 200_000],
      ],
      200_000,
      { version: 'password=v1', changesAtMs: undefined },
    ],
    ['the last one goes on counting', [['v1', 0]], 10_000_000, { version: 'password=v1', changesAtMs: undefined }],
  ])('%s', (_, reports, nowMs, expected) => {
    expect(counts(after(...reports), nowMs)).toEqual(expected)
  })
})

test('whatever is reported, in the end the last one counts, and what is kept is bounded', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 60_000 })), { minLength: 1 }),
      steps => {
        let nowMs = 0
        let rotation: Rotation = []
        for (const [text, pause] of steps) {
          nowMs += pause
          rotation = withReport(rotation, version(text), { nowMs, windowMs })
          expect(rotation.length).toBeLessThanOrEqual(3)
        }
        expect(counts(rotation, nowMs + windowMs)?.version).toBe(`password=${steps.at(-1)?.[0]}`)
      },
    ),
  )
})

test('the order of objects is of no matter', () => {
  const [a, b] = [
    { id: 'a', version: '1' },
    { id: 'b', version: '2' },
  ]
  expect(reportOf('spc', [a, b])).toEqual(reportOf('spc', [b, a]))
})
