// Claims of devices as a placement sees them: who may have which device, what is written, and what a search finds if anything fits.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { buildClusterState, podState } from '../cluster-state.ts'
import { Placement } from '../placement.ts'
import { defaultSettings, type SchedulerVersion } from '../scheduler-settings.ts'
import { node, object, pod } from '../testdata/objects.ts'
import { deviceFeatures, PoolIndex, poolsFor } from './device-pools.ts'
import { findDevices } from './device-search.ts'
import { DeviceSelectors } from './device-selectors.ts'
import type { DeviceClass, ResourceSlice } from './device-shapes.ts'
import { type Device, deviceKey, type ResourceClaim } from './device-shapes.ts'

const driver = 'gpu.example.com'
const gpus = object('resource.k8s.io/v1', 'DeviceClass', 'gpu', {
  spec: { selectors: [{ cel: { expression: `device.driver == "${driver}"` } }] },
})

function slice(name: string, devices: readonly Device[], spec: object = { nodeName: name }): KubeObject {
  const pool = { name, generation: 1, resourceSliceCount: 1 }
  return object('resource.k8s.io/v1', 'ResourceSlice', name, { spec: { driver, pool, devices, ...spec } })
}

function template(name: string, devices: object): KubeObject {
  return object('resource.k8s.io/v1', 'ResourceClaimTemplate', `shop/${name}`, { spec: { spec: { devices } } })
}

const one = { requests: [{ name: 'gpu', exactly: { deviceClassName: 'gpu', allocationMode: 'ExactCount', count: 1 } }] }

const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web' }

/** A pod with a claim of its own from the template, which is allocated where the pod has a node. */
function podWithDevice(name: string, on?: { readonly node: string; readonly device: string }): readonly KubeObject[] {
  const claim = `${name}-gpu-x`
  const uid = `uid-shop/${name}`
  const allocation = on && { devices: { results: [{ request: 'gpu', driver, pool: on.node, device: on.device }] } }
  return [
    pod(`shop/${name}`, {
      ...(on && { node: on.node }),
      owner,
      resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 'gpu' }],
      status: {
        phase: on ? 'Running' : 'Pending',
        resourceClaimStatuses: [{ name: 'gpu', resourceClaimName: claim }],
      },
    }),
    {
      apiVersion: 'resource.k8s.io/v1',
      kind: 'ResourceClaim',
      metadata: {
        name: claim,
        namespace: 'shop',
        uid: `uid-${claim}`,
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name, uid, controller: true }],
      },
      spec: { devices: one },
      ...(allocation && { status: { allocation, reservedFor: [{ resource: 'pods', name, uid }] } }),
    },
  ]
}

function placementOf(objects: readonly KubeObject[], version: SchedulerVersion = '1.36') {
  const { state, problems } = buildClusterState(objects)
  expect(problems).toEqual([])
  return { state, placement: new Placement(state, defaultSettings(version)) }
}

function evaluated(objects: readonly KubeObject[], key: string, version: SchedulerVersion = '1.36') {
  const { state, placement } = placementOf(objects, version)
  const asked = state.pods.get(key)
  if (asked === undefined) throw new Error(`no pod ${key}`)
  return placement.evaluate(asked)
}

const cluster = [
  node('a'),
  node('b'),
  node('c'),
  gpus,
  slice('a', [{ name: 'd0' }]),
  slice('b', [{ name: 'd0' }, { name: 'd1' }]),
  template('gpu', one),
]

describe('where a pod with a claim fits', () => {
  test('only where a device is free', () => {
    const held = podWithDevice('first', { node: 'a', device: 'd0' })
    expect(evaluated([...cluster, ...held, ...podWithDevice('next')], 'shop/next').feasible).toEqual(['b'])
  })

  test('nowhere where all are taken, in the words of the scheduler', () => {
    const objects = [node('a'), gpus, slice('a', [{ name: 'd0' }]), template('gpu', one)]
    const evaluation = evaluated(
      [...objects, ...podWithDevice('first', { node: 'a', device: 'd0' }), ...podWithDevice('next')],
      'shop/next',
    )
    expect(evaluation.message).toBe('0/1 nodes are available: 1 cannot allocate all claims.')
    expect(evaluation.preemption).toMatch(/^still not schedulable, preemption: /)
  })

  test('slices of v1beta1 are read like those of v1', () => {
    const old = object('resource.k8s.io/v1beta1', 'ResourceSlice', 'c', {
      spec: {
        driver,
        nodeName: 'c',
        pool: { name: 'c', generation: 1, resourceSliceCount: 1 },
        devices: [{ name: 'd0', basic: { attributes: { model: { string: 'x' } } } }],
      },
    })
    expect(evaluated([...cluster, old, ...podWithDevice('next')], 'shop/next').feasible).toEqual(['a', 'b', 'c'])
  })

  test('a selector without an answer ends the search with an error for all nodes', () => {
    const asks = {
      requests: [
        {
          name: 'gpu',
          exactly: {
            deviceClassName: 'gpu',
            count: 1,
            selectors: [{ cel: { expression: `device.attributes["${driver}"].x == 1` } }],
          },
        },
      ],
    }
    const named = pod('shop/user', { resourceClaims: [{ name: 'gpu', resourceClaimName: 'wanted' }] })
    const claim = object('resource.k8s.io/v1', 'ResourceClaim', 'shop/wanted', { spec: { devices: asks } })
    const evaluation = evaluated([...cluster, named, claim], 'shop/user')
    expect(evaluation.isError).toBe(true)
    expect(evaluation.message).toBe(
      'running "DynamicResources" filter plugin: claim shop/wanted: selector #0: CEL runtime error: no such key: x',
    )
  })

  test('an attribute of a type that is not known keeps its device from every expression', () => {
    const odd = slice('c', [{ name: 'd0', attributes: { list: {} } }])
    const evaluation = evaluated([node('c'), gpus, odd, template('gpu', one), ...podWithDevice('next')], 'shop/next')
    expect(evaluation.message).toContain('attribute list: unsupported attribute value')
  })

  test.each([
    ['1.36', 'cannot allocate all claims'],
    ['1.34', 'invalid resource pool gpu.example.com/a: duplicate device name d0'],
  ] as const)('a pool with a device twice gives nothing in %s', (version, words) => {
    const twice = slice('a', [{ name: 'd0' }, { name: 'd0' }])
    const objects = [node('a'), gpus, twice, template('gpu', one), ...podWithDevice('next')]
    const { message } = evaluated(objects, 'shop/next', version)
    expect(message).toContain(version === '1.36' ? 'invalid resource pools were encountered' : words)
  })
})

describe('devices come and go with pods', () => {
  test('a bound pod holds its device, and a removed one gives it back', () => {
    const { state, placement } = placementOf([...cluster, ...podWithDevice('first'), ...podWithDevice('next')])
    const [first, next] = ['shop/first', 'shop/next'].map(key => state.pods.get(key))
    if (first === undefined || next === undefined) throw new Error('the pods are missing')
    placement.bind(first, 'a')
    expect(placement.evaluate(next).feasible).toEqual(['b'])
    const other = placement.fork()
    other.remove('shop/first')
    expect(other.evaluate(next).feasible).toEqual(['a', 'b'])
    // The placement that it was forked from goes its own way.
    expect(placement.evaluate(next).feasible).toEqual(['b'])
    placement.remove('shop/first', { claims: 'held' })
    expect(placement.evaluate(next).feasible).toEqual(['b'])
  })

  test('the pod in place of another gets a claim of its own', () => {
    const { state, placement } = placementOf([...cluster, ...podWithDevice('first', { node: 'a', device: 'd0' })])
    const first = state.pods.get('shop/first')
    if (first === undefined) throw new Error('the pod is missing')
    const next = placement.asPending(first)
    expect(placement.evaluate(next).feasible).toEqual(['b'])
    placement.remove('shop/first')
    expect(placement.evaluate(next).feasible).toEqual(['a', 'b'])
    placement.bind(next, 'b')
    expect(placement.nodeOf(next.key)).toBe('b')
  })

  test('what is written on binding names the device, the node and the pod', () => {
    const { state, placement } = placementOf([...cluster, ...podWithDevice('first')])
    const first = state.pods.get('shop/first')
    if (first === undefined) throw new Error('the pod is missing')
    const [claim] = placement.claimsOnBinding(first, 'b')
    expect(claim?.metadata.finalizers).toEqual(['resource.kubernetes.io/delete-protection'])
    expect(claim?.status).toEqual({
      allocation: {
        devices: { results: [{ request: 'gpu', driver, pool: 'b', device: 'd0' }] },
        nodeSelector: { nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b'] }] }] },
      },
      reservedFor: [{ resource: 'pods', name: 'first', uid: 'uid-shop/first' }],
    })
  })
})

interface Puzzle {
  readonly boards: readonly number[]
  readonly taken: readonly boolean[]
  readonly requests: readonly { readonly count: number; readonly board?: number }[]
  readonly constraint: 'matchAttribute' | 'distinctAttribute' | undefined
}

const puzzle: fc.Arbitrary<Puzzle> = fc.record({
  boards: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 6 }),
  taken: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
  requests: fc.array(
    fc.record({ count: fc.integer({ min: 1, max: 2 }), board: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }) }),
    { minLength: 1, maxLength: 3 },
  ) as fc.Arbitrary<Puzzle['requests']>,
  constraint: fc.constantFrom('matchAttribute', undefined),
})

/** Whether any choice of devices serves all requests: every one is tried. */
function anyFits({ boards, taken, requests, constraint }: Puzzle): boolean {
  const slots = requests.flatMap(({ count, board }) => Array.from({ length: count }, () => board))
  const choose = (slot: number, used: readonly number[]): boolean => {
    if (slot === slots.length) return constraint === undefined || new Set(used.map(at => boards[at])).size <= 1
    return boards.some((board, at) => {
      const wanted = slots[slot]
      return (
        taken[at] !== true && !used.includes(at) && (wanted === undefined || wanted === board) && choose(slot + 1, [...used, at])
      )
    })
  }
  return choose(0, [])
}

test('the search finds devices where any choice fits, and what it finds fits', () => {
  fc.assert(
    fc.property(puzzle, given => {
      const devices = given.boards.map((board, at) => ({ name: `d${at}`, attributes: { board: { int: board } } }))
      const requests = given.requests.map(({ count, board }, at) => ({
        name: `r${at}`,
        exactly: {
          deviceClassName: 'gpu',
          allocationMode: 'ExactCount',
          count,
          ...(board === undefined
            ? {}
            : { selectors: [{ cel: { expression: `device.attributes["${driver}"].board == ${board}` } }] }),
        },
      }))
      const constraints = given.constraint === undefined ? [] : [{ [given.constraint]: `${driver}/board` }]
      const claim: ResourceClaim = {
        apiVersion: 'resource.k8s.io/v1',
        kind: 'ResourceClaim',
        metadata: { name: 'wanted', namespace: 'shop' },
        spec: { devices: { requests, constraints } },
      }
      const taken = new Set(
        devices.filter((_, at) => given.taken[at]).map(({ name }) => deviceKey({ driver, pool: 'a', device: name })),
      )
      const features = deviceFeatures('1.36')
      // The builders make whole objects of these kinds.
      const pools = poolsFor(node('a'), new PoolIndex([slice('a', devices) as ResourceSlice]), features)
      const searched = {
        node: node('a'),
        pools,
        features,
        selectors: new DeviceSelectors(),
        classOf: () => gpus as DeviceClass,
      }
      const outcome = findDevices(searched, [claim], { whole: taken, shared: new Map() })
      expect(outcome.kind === 'found').toBe(anyFits(given))
      if (outcome.kind !== 'found') return
      const found = outcome.claims.flat()
      expect(new Set(found.map(({ candidate }) => candidate.key)).size).toBe(found.length)
      for (const { candidate } of found) expect(taken.has(candidate.key)).toBe(false)
    }),
    { numRuns: 400 },
  )
})

test('pools of one node and pools of several are searched by driver and name, and only where they are', () => {
  const pool = (name: string, spec: object) => slice(name, [{ name: 'd0' }], spec) as ResourceSlice
  const index = new PoolIndex([
    pool('z', { nodeName: 'a' }),
    pool('m', { allNodes: true }),
    pool('b', { nodeName: 'b' }),
    pool('c', { nodeName: 'a' }),
  ])
  expect(index.of('a').map(({ id }) => id)).toEqual([`${driver}/c`, `${driver}/m`, `${driver}/z`])
  expect(index.of('x').map(({ id }) => id)).toEqual([`${driver}/m`])
})

test('names of claims that nobody made yet are waited for', () => {
  const { placement, state } = placementOf([...cluster])
  const waiting = podState(state, pod('shop/early', { resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 'gpu' }] }))
  expect(placement.heldBackBy(waiting)).toContain('not yet resolved')
})
