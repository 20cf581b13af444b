import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressOf, type FilterDefinition, filtersOfAddress, withFilter } from './filters.ts'

const definitions: readonly FilterDefinition[] = [
  { name: 'decision', label: 'decision', values: ['granted', 'denied'] },
  { name: 'rule', label: 'rule' },
  {
    name: 'workload',
    label: 'workload',
    problem: value => (value.split('/').length === 3 ? undefined : 'it is not NAMESPACE/KIND/NAME'),
  },
]

describe('filtersOfAddress', () => {
  test.each([
    { query: '', filters: [], dropped: [] },
    { query: 'decision=denied', filters: [{ name: 'decision', value: 'denied' }], dropped: [] },
    { query: 'decision=denied&decision=granted', filters: [{ name: 'decision', value: 'granted' }], dropped: [] },
    {
      query: 'decision=maybe',
      filters: [],
      dropped: ['The filter decision "maybe" was dropped: it is none of granted, denied.'],
    },
    {
      query: 'workload=sonarr',
      filters: [],
      dropped: ['The filter workload "sonarr" was dropped: it is not NAMESPACE/KIND/NAME.'],
    },
    { query: 'rule=', filters: [], dropped: ['The filter rule was dropped: it is empty.'] },
    { query: 'sort=cpu', filters: [], dropped: [] },
  ])('$query', ({ query, filters, dropped }) =>
    expect(filtersOfAddress(new URLSearchParams(query), definitions)).toEqual({ filters, dropped }),
  )

  const rule = fc.string({ minLength: 1, maxLength: 50 })
  test('what was put in comes out again, and leaves with its chip', () =>
    fc.assert(
      fc.property(rule, rule, (one, other) => {
        const before = new URLSearchParams('at=x')
        const after = withFilter(withFilter(before, 'rule', one), 'rule', other)
        const address = new URL(addressOf('/permits', after), 'http://page.test')
        expect(filtersOfAddress(address.searchParams, definitions).filters).toEqual([
          { name: 'rule', value: other.toWellFormed() },
        ])
        expect(withFilter(after, 'rule', undefined).toString()).toBe(before.toString())
      }),
    ))
})

test('a new filter begins at the first page', () =>
  expect(addressOf('/permits', withFilter(new URLSearchParams('cursor=abc'), 'rule', 'KedaManaged'))).toBe(
    '/permits?rule=KedaManaged',
  ))
