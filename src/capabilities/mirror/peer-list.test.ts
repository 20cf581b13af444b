import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Node } from '#kube/objects.ts'
import { mostListed, peerList } from './peer-list.ts'

interface Row {
  readonly name: string
  readonly address?: string
  readonly ready?: boolean
  readonly os?: string
  readonly goes?: boolean
}

const nodeOf = ({ name, address, ready = true, os = 'linux', goes = false }: Row): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name,
    labels: { 'kubernetes.io/os': os },
    ...(goes ? { deletionTimestamp: '2026-03-02T04:00:00Z' } : {}),
  },
  status: {
    addresses: [{ type: 'Hostname', address: name }, ...(address === undefined ? [] : [{ type: 'InternalIP', address }])],
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
  },
})

const many = (count: number): readonly Row[] =>
  Array.from({ length: count }, (_, at) => ({ name: `node-${at}`, address: `10.0.${at >> 8}.${at & 255}` }))
const listOf = (rows: readonly Row[]) => peerList(rows.map(nodeOf))
const linesOf = (rows: readonly Row[]) => listOf(rows).split('\n').filter(Boolean)

// biome-ignore format: a table
test.each([
  ['no node',                     [],                                                                             ''],
  ['addresses, sorted',           [{ name: 'b', address: '10.0.0.2' }, { name: 'a', address: '10.0.0.1' }],       '10.0.0.1\n10.0.0.2\n'],
  ['an IPv6 address',             [{ name: 'a', address: 'fd00::7' }],                                            'fd00::7\n'],
  ['a node without an address',   [{ name: 'a' }, { name: 'b', address: '10.0.0.2' }],                            '10.0.0.2\n'],
  ['an address that is none',     [{ name: 'a', address: 'example.com' }],                                        ''],
  ['a node of another system',    [{ name: 'a', address: '10.0.0.1', os: 'windows' }],                            ''],
  ['a node that goes',            [{ name: 'a', address: '10.0.0.1', goes: true }],                               ''],
  ['a node that is not ready',    [{ name: 'a', address: '10.0.0.1', ready: false }],                             '10.0.0.1\n'],
] satisfies [string, readonly Row[], string][])('%s', (_name, rows, expected) => {
  expect(listOf(rows)).toBe(expected)
})

test('of many nodes 64 are listed, ready ones first', () => {
  const rows = many(200).map((row, at) => ({ ...row, ready: at >= 130 }))
  const ready = new Set(rows.filter(row => row.ready).map(row => row.address))
  expect(linesOf(rows)).toHaveLength(mostListed)
  expect(linesOf(rows).every(line => ready.has(line))).toBe(true)
})

describe('laws', () => {
  const count = fc.integer({ min: 0, max: 300 })

  test('the order in which nodes are known does not matter', () => {
    fc.assert(
      fc.property(
        count.chain(n => fc.shuffledSubarray([...many(n)], { minLength: n })),
        rows => {
          expect(listOf(rows)).toBe(listOf(many(rows.length)))
        },
      ),
      { numRuns: 50 },
    )
  })

  test('a node that comes or goes changes one line for another at most', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(), (n, at) => {
        const rows = many(n)
        const before = new Set(linesOf(rows))
        const after = new Set(linesOf(rows.toSpliced(at % n, 1)))
        expect(before.difference(after).size).toBeLessThanOrEqual(1)
        expect(after.difference(before).size).toBeLessThanOrEqual(1)
      }),
      { numRuns: 100 },
    )
  })
})
