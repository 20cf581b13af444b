import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RouteRule } from './route.ts'
import { RuleTable } from './routing-table.ts'

interface Row {
  readonly name: string
  readonly rules: readonly RouteRule[]
  readonly createdMs?: number
  readonly namespace?: string
}

const rule = (hosts: string[], paths: string[] = [], headers: { name: string; value?: string }[] = []): RouteRule => ({
  hosts,
  paths,
  headers,
})

function tableOf(rows: readonly Row[]) {
  const table = new RuleTable(
    rows.map(row => ({ rules: row.rules, subject: row })),
    ({ name, createdMs = 0, namespace = 'default' }) => ({ name, createdMs, namespace }),
  )
  return (host: string, path = '/', headers: Readonly<Record<string, string[]>> = {}) =>
    table.find(host, path, name => headers[name] ?? [])?.name
}

describe('routes', () => {
  it('P1: more headers that fit come first', () => {
    const find = tableOf([
      { name: 'none', rules: [rule(['example.com'], ['/api'])] },
      { name: 'any', rules: [rule(['example.com'], ['/api'], [{ name: 'x-c' }])] },
      { name: 'foo', rules: [rule(['example.com'], ['/api'], [{ name: 'x-c', value: 'foo' }])] },
      {
        name: 'both',
        rules: [
          rule(
            ['example.com'],
            ['/api'],
            [
              { name: 'x-c', value: 'foo' },
              { name: 'x-a', value: 'baz' },
            ],
          ),
        ],
      },
    ])
    expect(find('example.com', '/api', { 'x-c': ['foo'], 'x-a': ['baz'] })).toBe('both')
    expect(find('example.com', '/api', { 'x-c': ['foo'] })).toBe('foo')
    expect(find('example.com', '/api', { 'x-c': ['bar', 'foo'] })).toBe('foo')
    expect(find('example.com', '/api', { 'x-c': ['other'] })).toBe('any')
    expect(find('example.com', '/api')).toBe('none')
  })

  it('P2: the longest suffix of wildcards, never the bare domain', () => {
    const find = tableOf([
      { name: 'first', rules: [rule(['*.example.com'])] },
      { name: 'second', rules: [rule(['*.b.example.com'])] },
      { name: 'third', rules: [rule(['*'])] },
    ])
    expect(find('a.b.example.com')).toBe('second')
    expect(find('x.y.example.com')).toBe('first')
    expect(find('other.org')).toBe('third')
    expect(find('example.com')).toBe('third')
    expect(find('')).toBe('third')
  })

  it.each([
    ['/', 'root'],
    ['', 'root'],
    ['/api', 'api'],
    ['/api/', 'api'],
    ['//api', 'api'],
    ['/apis', 'root'],
    ['/api/v1', 'v1'],
    ['/api/v1/pods/x/y/z', 'v1'],
    ['/api/v2', 'api'],
    ['/x/api/v1', 'root'],
  ])('the longest path on segment borders: %s is %s', (path, name) => {
    const find = tableOf([
      { name: 'root', rules: [rule(['a.io'])] },
      { name: 'api', rules: [rule(['a.io'], ['/api'])] },
      { name: 'v1', rules: [rule(['a.io'], ['api/v1/'])] },
    ])
    expect(find('a.io', path)).toBe(name)
  })

  it('looks at no shorter path where headers do not fit, but at the next host', () => {
    const find = tableOf([
      { name: 'short', rules: [rule(['a.io'], ['/'])] },
      { name: 'long', rules: [rule(['a.io'], ['/api'], [{ name: 'x-c' }])] },
      { name: 'star', rules: [rule(['*.io'])] },
    ])
    expect(find('a.io', '/api')).toBe('star')
    expect(find('a.io', '/other')).toBe('short')
  })

  it('the older comes first, then the greater namespace, then the greater name', () => {
    const find = tableOf([
      { name: 'young', createdMs: 2, rules: [rule(['a.io'])] },
      { name: 'old', createdMs: 1, rules: [rule(['a.io'])] },
      { name: 'x', createdMs: 1, rules: [rule(['b.io'])], namespace: 'a' },
      { name: 'y', createdMs: 1, rules: [rule(['b.io'])], namespace: 'b' },
      { name: 'z', createdMs: 1, rules: [rule(['b.io'])], namespace: 'b' },
    ])
    expect(find('a.io')).toBe('old')
    expect(find('b.io')).toBe('z')
  })

  it('finds nothing where nothing fits', () => {
    expect(tableOf([{ name: 'a', rules: [rule(['a.io'])] }])('b.io')).toBeUndefined()
    expect(tableOf([{ name: 'a', rules: [] }])('b.io')).toBeUndefined()
  })

  it('finds what a search through all rules finds', () => {
    const segment = fc.constantFrom('a', 'b', 'c')
    const path = fc.array(segment, { maxLength: 4 }).map(parts => `/${parts.join('/')}`)
    const host = fc.constantFrom('x.io', 'y.x.io', 'z.y.x.io', 'io')
    const pattern = fc.constantFrom('x.io', '*.x.io', '*.y.x.io', '*.io', '*', 'z.y.x.io')
    const rows = fc.array(fc.tuple(pattern, path), { maxLength: 12 })
    fc.assert(
      fc.property(rows, host, path, (given, asked, at) => {
        const find = tableOf(
          given.map(([one, prefix], index) => ({ name: String(index), createdMs: index, rules: [rule([one], [prefix])] })),
        )
        expect(find(asked, at)).toBe(searched(given, asked, at))
      }),
    )
  })
})

/** By brute force: hosts by length of their pattern, then paths by length, then age. */
function searched(rows: readonly (readonly [string, string])[], host: string, path: string): string | undefined {
  const segments = (text: string) => text.split('/').filter(part => part !== '')
  const hostFits = (pattern: string) =>
    pattern === '*' || pattern === host || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)))
  const pathFits = (prefix: string) => segments(prefix).every((part, at) => segments(path)[at] === part)
  const found = rows
    .map(([pattern, prefix], index) => ({ pattern, prefix, index }))
    .filter(({ pattern, prefix }) => hostFits(pattern) && pathFits(prefix))
    .toSorted((a, b) => {
      const exact = (pattern: string) => (pattern === host ? 1 : 0)
      return (
        exact(b.pattern) - exact(a.pattern) ||
        b.pattern.length - a.pattern.length ||
        segments(b.prefix).length - segments(a.prefix).length ||
        a.index - b.index
      )
    })
  return found[0] === undefined ? undefined : String(found[0].index)
}
