import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Decision, Permit } from '../../contract.ts'
import { stripLayout } from './strip-layout.ts'

const startMs = Date.parse('2025-12-19T13:00:00Z')
const minute = 60_000
const range = { startMs, endMs: startMs + 60 * minute }

function permit(at: number, decision: Decision, more: Partial<Permit> = {}): Permit {
  return {
    id: `ballast/p-${at}-${decision}`,
    at: new Date(startMs + at * minute).toISOString(),
    capability: 'deschedule',
    verb: 'evict',
    class: 5,
    target: { kind: 'Deployment', namespace: 'media', name: 'sonarr' },
    pods: [],
    decision,
    wouldBe: null,
    rule: null,
    because: { code: 'x', text: 'x', facts: {}, links: [] },
    remedy: null,
    retryAt: null,
    token: null,
    releasedAt: null,
    waitedMs: null,
    outcome: null,
    into: null,
    ...more,
  }
}

describe('stripLayout', () => {
  const drawn = (permits: readonly Permit[]) =>
    stripLayout(permits, range, 600).rows.map(({ capability, marks, bars }) => ({
      capability,
      marks: marks.map(
        mark => `${mark.decision} ${Math.round(mark.x)} ×${mark.permits.length}${mark.lane === 1 ? ' below' : ''}`,
      ),
      bars: bars.map(bar => `${Math.round(bar.x)}+${Math.round(bar.width)}${bar.open ? ' open' : ''}`),
    }))
  const all = (at: number) => permit(at, 'queued', { capability: 'z' })

  test('a row for each capability, in order of name', () =>
    expect(
      drawn([permit(1, 'denied', { capability: 'reload' }), permit(1, 'denied'), all(0)]).map(row => row.capability),
    ).toEqual(['deschedule', 'reload', 'z']))

  test.each<{ name: string; permits: readonly Permit[]; marks: readonly string[]; bars: readonly string[] }>([
    {
      name: 'granted until released',
      permits: [permit(10, 'granted', { releasedAt: new Date(startMs + 15 * minute).toISOString(), token: 7 })],
      marks: ['granted 100 ×1'],
      bars: ['100+50'],
    },
    { name: 'in flight', permits: [permit(10, 'granted', { token: 7 })], marks: ['granted 100 ×1'], bars: ['100+500 open'] },
    {
      name: 'granted long ago without a token has no length',
      permits: [permit(10, 'granted')],
      marks: ['granted 100 ×1'],
      bars: [],
    },
    {
      name: 'near ones of a kind are one',
      permits: [permit(10, 'denied'), permit(11, 'denied'), permit(20, 'denied')],
      marks: ['denied 100 ×2', 'denied 200 ×1'],
      bars: [],
    },
    {
      name: 'near ones of two kinds are two',
      permits: [permit(10, 'denied'), permit(11, 'no-op')],
      marks: ['denied 100 ×1', 'no-op 110 ×1 below'],
      bars: [],
    },
    { name: 'what is before the range is left out', permits: [permit(-1, 'denied')], marks: [], bars: [] },
  ])('$name', ({ permits, marks, bars }) => {
    const rows = drawn([...permits, all(0)]).filter(row => row.capability === 'deschedule')
    expect(rows[0] ?? { marks: [], bars: [] }).toMatchObject({ marks, bars })
  })

  test('every permit of the range is behind exactly one mark', () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ min: 0, max: 60, noNaN: true }), fc.constantFrom<Decision>('granted', 'denied', 'queued'))),
        given => {
          const permits = given.map(([at, decision], index) =>
            permit(at, decision, { id: `p${index}`, capability: index % 2 === 0 ? 'a' : 'b' }),
          )
          const shown = stripLayout(permits, range, 400).rows.flatMap(row => row.marks.flatMap(mark => mark.permits))
          expect(shown.map(({ id }) => id).sort()).toEqual(permits.map(({ id }) => id).sort())
        },
      ),
    ))
})
