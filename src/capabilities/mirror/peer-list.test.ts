import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { DaemonSet, Node, PodTemplateSpec } from '#kube/objects/objects.ts'
import { mirrorNodes, mostListed, peerList } from './peer-list.ts'

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
  ['only one that is not ready',  [{ name: 'a', address: '10.0.0.1', ready: false }],                             '10.0.0.1\n'],
  ['one of two is not ready',     [{ name: 'a', address: '10.0.0.1' }, { name: 'b', address: '10.0.0.2', ready: false }], '10.0.0.1\n'],
] satisfies [string, readonly Row[], string][])('%s', (_name, rows, expected) => {
  expect(listOf(rows)).toBe(expected)
})

describe('a mirror is meant for', () => {
  const meant = (spec: PodTemplateSpec['spec'] | undefined, labels: Readonly<Record<string, string>>, place = 'agents') => {
    const set: DaemonSet = {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'mirrors', namespace: place, labels: { 'app.kubernetes.io/component': 'agent-mirror' } },
      spec: { selector: {}, template: { spec: spec ?? { containers: [] } } },
    }
    const node = nodeOf({ name: 'n1', address: '10.0.0.1' })
    const labelled = { ...node, metadata: { ...node.metadata, labels: { ...node.metadata.labels, ...labels } } }
    return mirrorNodes(spec === undefined ? [] : [set], 'agents')(labelled)
  }
  const containers: PodTemplateSpec['spec']['containers'] = []
  const nodeSelector = { 'ballast.dev/mirror-swap': 'ballast' }
  const affinity = {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'virtual', operator: 'DoesNotExist' }] }],
      },
    },
  }

  test.each([
    ['every node before there is a DaemonSet', undefined, {}, true],
    ['every node that nothing is asked of', { containers }, {}, true],
    ['a node that is selected', { containers, nodeSelector }, nodeSelector, true],
    [
      'no node that is not selected: the others have Spegel',
      { containers, nodeSelector },
      { 'ballast.dev/mirror-swap': 'spegel' },
      false,
    ],
    ['no node that affinity leaves out', { containers, affinity }, { virtual: '' }, false],
    ['a node that affinity picks', { containers, affinity }, {}, true],
  ] satisfies [string, PodTemplateSpec['spec'] | undefined, Readonly<Record<string, string>>, boolean][])(
    '%s',
    (_name, spec, labels, expected) => {
      expect(meant(spec, labels)).toBe(expected)
    },
  )

  test('every node where the DaemonSet is of another installation', () => {
    expect(meant({ containers, nodeSelector }, {}, 'elsewhere')).toBe(true)
  })
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
