import { describe, expect, test } from 'vitest'
import type { Permit } from '../../contract.ts'
import { filtersOfAddress } from '../widgets/filters.ts'
import { filterDefinitions, permitsQuery, rangeOf, rowsOf } from './permits-query.ts'

test.each([
  { query: '', expected: '24h' },
  { query: 'since=1h', expected: '1h' },
  { query: 'since=yesterday', expected: '24h' },
])('rangeOf: $query', ({ query, expected }) => expect(rangeOf(new URLSearchParams(query)).value).toBe(expected))

test('the API is asked for what the address filters by', () => {
  const { filters } = filtersOfAddress(
    new URLSearchParams('rule=KedaManaged&decision=denied&sort=time&namespace=a%20b'),
    filterDefinitions,
  )
  expect(permitsQuery(['permits'], '24h', filters, 'c1')).toBe(
    '/api/v1/permits?since=24h&decision=denied&rule=KedaManaged&cursor=c1',
  )
})

describe('rowsOf', () => {
  const permit = (id: string, into: string | null = null): Permit => ({
    id,
    at: '2025-12-19T13:00:00Z',
    capability: 'reload',
    verb: 'restart',
    class: 3,
    target: { kind: 'Deployment', namespace: 'web', name: 'shop' },
    pods: [],
    decision: into === null ? 'granted' : 'coalesced',
    wouldBe: null,
    rule: null,
    because: { code: 'x', text: 'x', facts: {}, links: [] },
    remedy: null,
    retryAt: null,
    token: null,
    releasedAt: null,
    waitedMs: null,
    outcome: null,
    into,
  })
  const shown = (permits: readonly Permit[], opened: readonly string[] = []) =>
    rowsOf(permits, new Set(opened)).map(
      row => `${row.isMerged ? '- ' : ''}${row.permit.id}${row.merged.length > 0 ? ` +${row.merged.length}` : ''}`,
    )

  test.each([
    {
      name: 'merged ones are folded',
      permits: [permit('b', 'a'), permit('a'), permit('c', 'a')],
      opened: [],
      expected: ['a +2'],
    },
    {
      name: 'and come beneath when opened',
      permits: [permit('b', 'a'), permit('a'), permit('c', 'a')],
      opened: ['a'],
      expected: ['a +2', '- b', '- c'],
    },
    { name: 'where the other is on a later page they stand alone', permits: [permit('b', 'a')], opened: [], expected: ['b'] },
    { name: 'one that names itself stands alone', permits: [permit('a', 'a')], opened: [], expected: ['a'] },
  ])('$name', ({ permits, opened, expected }) => expect(shown(permits, opened)).toEqual(expected))
})
