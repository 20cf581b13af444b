import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../objects/objects.ts'
import { readyReplicas } from './ready-replicas.ts'
import { rendezvous } from './rendezvous.ts'

const things = Array.from({ length: 1_000 }, (_, number) => `node-${number}`)

describe('whose a thing is', () => {
  const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 6 })

  test('is the same in any order, and nobody without replicas', () => {
    expect(rendezvous('a', [])).toBeUndefined()
    fc.assert(
      fc.property(fc.string(), names, (thing, replicas) => {
        expect(rendezvous(thing, replicas.toReversed())).toBe(rendezvous(thing, replicas))
        expect(replicas).toContain(rendezvous(thing, replicas))
      }),
      { numRuns: 50, seed: 1 },
    )
  })

  test('only the share of a replica that goes moves, and only to those that stay', () => {
    fc.assert(
      fc.property(names, fc.nat(), (replicas, at) => {
        const gone = replicas[at % replicas.length]
        const rest = replicas.filter(one => one !== gone)
        for (const thing of things.slice(0, 50)) {
          const before = rendezvous(thing, replicas)
          if (before !== gone) expect(rendezvous(thing, rest)).toBe(before)
          else if (rest.length > 0) expect(rest).toContain(rendezvous(thing, rest))
        }
      }),
      { numRuns: 50, seed: 1 },
    )
  })

  test.each([2, 3, 5])('%i replicas have about as much', count => {
    // Names that differ little, as those of the pods of one Deployment do.
    const replicas = Array.from({ length: count }, (_, number) => `ballast-apiserver-7d9f8c6b5-abcd${number}`)
    const shares = Map.groupBy(things, thing => rendezvous(thing, replicas))
    for (const replica of replicas) {
      const share = (shares.get(replica)?.length ?? 0) / things.length
      expect(Math.abs(share - 1 / count)).toBeLessThan(0.06)
    }
  })
})

const endpoint = (name: string, address: string, conditions: object = { ready: true }) => ({
  addresses: [address],
  conditions,
  targetRef: { kind: 'Pod', namespace: 'b', name },
})
const slice = (name: string, changed: object = {}): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name, namespace: 'b', labels: { 'kubernetes.io/service-name': 'apis' } },
  addressType: 'IPv4',
  endpoints: [endpoint('one', '10.0.0.1'), endpoint('two', '10.0.0.2')],
  ports: [
    { name: 'metrics', port: 1 },
    { name: 'aggregated', port: 6443 },
  ],
  ...changed,
})
const looked = { service: 'apis', own: 'one', portName: 'aggregated', port: 7 }
const two = { name: 'two', address: '10.0.0.2', port: 6443 }

describe('ready replicas', () => {
  const of = (...slices: readonly KubeObject[]) => readyReplicas(slices, looked)

  test.each<[string, readonly KubeObject[], ReturnType<typeof readyReplicas>]>([
    ['two of them', [slice('a')], { own: 'one', others: [two] }],
    ['none at all', [], undefined],
    ['another Service', [slice('a', { metadata: { name: 'a', labels: { 'kubernetes.io/service-name': 'x' } } })], undefined],
    ['without labels', [slice('a', { metadata: { name: 'a' } })], undefined],
    [
      'we are not ready',
      [slice('a', { endpoints: [endpoint('one', '10.0.0.1', { ready: false }), endpoint('two', '10.0.0.2')] })],
      undefined,
    ],
    ['we are alone', [slice('a', { endpoints: [endpoint('one', '10.0.0.1')] })], { own: 'one', others: [] }],
    [
      'another is not ready',
      [slice('a', { endpoints: [endpoint('one', '10.0.0.1'), endpoint('two', '10.0.0.2', { ready: false })] })],
      { own: 'one', others: [] },
    ],
    [
      'another ends',
      [slice('a', { endpoints: [endpoint('one', '10.0.0.1'), endpoint('two', '10.0.0.2', { ready: true, terminating: true })] })],
      { own: 'one', others: [] },
    ],
    [
      'of two families the first slice counts',
      [slice('b', { addressType: 'IPv6', endpoints: [endpoint('two', 'fd00::2')] }), slice('a')],
      { own: 'one', others: [two] },
    ],
    [
      'over two slices',
      [slice('a', { endpoints: [endpoint('one', '10.0.0.1')] }), slice('b', { endpoints: [endpoint('two', '10.0.0.2')] })],
      { own: 'one', others: [two] },
    ],
    ['a port without its name', [slice('a', { ports: [{ port: 9 }] })], { own: 'one', others: [{ ...two, port: 7 }] }],
    ['names in place of addresses', [slice('a', { addressType: 'FQDN' })], undefined],
    [
      'nothing said of readiness',
      [slice('a', { endpoints: [endpoint('one', '10.0.0.1', {}), endpoint('two', '10.0.0.2', {})] })],
      { own: 'one', others: [two] },
    ],
    [
      'what is no pod',
      [slice('a', { endpoints: [endpoint('one', '10.0.0.1'), { addresses: ['10.0.0.9'] }, 7, null] })],
      { own: 'one', others: [] },
    ],
    ['nothing that is of any shape', [slice('a', { endpoints: 7, ports: null })], undefined],
  ])('%s', (_, slices, expected) => {
    expect(of(...slices)).toEqual(expected)
  })
})
