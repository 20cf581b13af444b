import { describe, expect, test } from 'vitest'
import { compareQuantities, quantity } from '#kube/values/quantity.ts'
import type { Claim, StoredVolume } from '../storage-kinds.ts'
import { growing, growingFailed, grown, nodeIsNext } from './claim-status.ts'
import { asksForMore, decideResize, isNews, resizeStates } from './resize-decision.ts'

const driver = 'nfs.csi.k8s.io'

interface Row {
  /** What is asked for, what the claim has, what the volume has, what is allocated; in Gi. */
  readonly asks?: number
  readonly has?: number
  readonly volume?: number
  readonly allocated?: number
  readonly state?: keyof typeof resizeStates
  readonly failed?: boolean
  readonly byKubelet?: boolean
  readonly pending?: boolean
  readonly expected: string
}

const gi = (size: number) => `${size}Gi`

function claimOf({ asks = 2, has = 1, allocated, state, pending = false }: Omit<Row, 'expected'>, metadata: object = {}): Claim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'plex', namespace: 'media', uid: 'u1', resourceVersion: '7', ...metadata },
    spec: { volumeName: 'pv', resources: { requests: { storage: gi(asks) } } },
    status: {
      phase: 'Bound',
      capacity: { storage: gi(has) },
      ...(allocated === undefined ? {} : { allocatedResources: { storage: gi(allocated) } }),
      ...(state === undefined ? {} : { allocatedResourceStatuses: { storage: resizeStates[state] } }),
      ...(pending ? { conditions: [{ type: 'FileSystemResizePending', status: 'True' }] } : {}),
    },
  }
}

function volumeOf(size: number, spec: StoredVolume['spec'] = {}): StoredVolume {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'pv' },
    spec: {
      capacity: { storage: gi(size) },
      csi: { driver, volumeHandle: 'h' },
      claimRef: { name: 'plex', namespace: 'media', uid: 'u1' },
      ...spec,
    },
  }
}

function decided(claim: Claim, volume: StoredVolume, row: Pick<Row, 'failed' | 'byKubelet'> = {}): string {
  const { failed = false, byKubelet = false } = row
  const decision = decideResize(claim, volume, { driver, failedForGood: failed, isByController: !byKubelet })
  if (decision.kind === 'leave') return decision.because
  const size = [1, 2, 3, 4, 5].find(one => compareQuantities(decision.size, quantity(gi(one))) === 0)
  return `${decision.isNew ? 'new' : 'again'} ${size}`
}

describe('how a claim grows', () => {
  test.each<Row>([
    { expected: 'new 2' },
    { asks: 1, expected: 'big-enough' },
    { asks: 1, has: 2, expected: 'big-enough' },
    { allocated: 2, state: 'controllerInProgress', expected: 'again 2' },
    // The claim asks for another size while a call is out of which nobody knows how it ended.
    { asks: 4, allocated: 3, state: 'controllerInProgress', expected: 'again 3' },
    { asks: 2, allocated: 3, state: 'controllerInProgress', expected: 'again 3' },
    // It failed for good: then what is asked for by now counts.
    { asks: 2, allocated: 3, state: 'controllerInProgress', failed: true, expected: 'new 2' },
    { asks: 2, allocated: 3, state: 'controllerInfeasible', expected: 'new 2' },
    { asks: 3, allocated: 3, state: 'controllerInfeasible', expected: 'again 3' },
    // The volume has grown, the claim does not say so yet.
    { volume: 2, allocated: 2, state: 'controllerInProgress', expected: 'again 2' },
    { volume: 3, asks: 2, allocated: 3, state: 'controllerInProgress', expected: 'again 3' },
    { volume: 2, allocated: 2, expected: 'again 2' },
    { volume: 2, expected: 'new 2' },
    { volume: 2, pending: true, expected: 'waits-for-the-node' },
    { volume: 2, allocated: 2, state: 'nodePending', expected: 'waits-for-the-node' },
    { volume: 2, allocated: 2, state: 'nodeInProgress', expected: 'waits-for-the-node' },
    // A kubelet is on its way to a smaller size: it ends that first.
    { volume: 2, asks: 3, allocated: 2, state: 'nodePending', expected: 'waits-for-the-node' },
    { volume: 1, asks: 3, allocated: 2, state: 'nodePending', expected: 'again 2' },
    { volume: 2, asks: 3, allocated: 2, state: 'nodeInfeasible', expected: 'again 2' },
    { volume: 3, asks: 3, allocated: 2, state: 'nodeInfeasible', expected: 'again 2' },
    { volume: 3, asks: 3, allocated: 2, state: 'nodeInfeasible', byKubelet: true, expected: 'new 3' },
  ])('$asks of $has, volume $volume, allocated $allocated, $state, failed $failed, kubelet $byKubelet: $expected', row =>
    expect(decided(claimOf(row), volumeOf(row.volume ?? 1), row)).toBe(row.expected),
  )

  test.each<[string, Claim, StoredVolume, string]>([
    ['a claim that is pending', { ...claimOf({}), status: { phase: 'Pending' } }, volumeOf(1), 'not-bound'],
    ['a volume of another driver', claimOf({}), volumeOf(1, { csi: { driver: 'other', volumeHandle: 'h' } }), 'of-another'],
    ['a volume of an older claim', claimOf({}, { uid: 'u2' }), volumeOf(1), 'bound-to-another'],
    ['a volume of no claim', claimOf({}), volumeOf(1, { claimRef: { namespace: 'other', uid: 'u1' } }), 'bound-to-another'],
  ])('%s is left', (_, claim, volume, expected) => expect(decided(claim, volume)).toBe(expected))

  test('never smaller than the volume is, and only where more is asked for', () => {
    const states = [undefined, ...(Object.keys(resizeStates) as (keyof typeof resizeStates)[])]
    const sizes = [1, 2, 3]
    for (const state of states)
      for (const asks of sizes)
        for (const has of sizes)
          for (const volume of sizes.filter(size => size >= has))
            for (const failed of [false, true]) {
              const claim = claimOf({ asks, has, ...(state === undefined ? {} : { state, allocated: Math.max(asks, volume) }) })
              const said = decided(claim, volumeOf(volume), { failed })
              if (!said.startsWith('new') && !said.startsWith('again')) continue
              expect(asksForMore(claim)).toBe(true)
              expect(Number(said.split(' ')[1]), `${state} ${asks} ${has} ${volume} ${failed}`).toBeGreaterThanOrEqual(
                Math.min(asks, volume),
              )
            }
  })
})

test('what the resizer writes itself hurries nothing', () => {
  const before = claimOf({})
  expect(isNews(undefined, before)).toBe(true)
  expect(isNews(before, before)).toBe(false)
  expect(isNews(before, claimOf({ asks: 3 }))).toBe(true)
  expect(isNews(before, claimOf({ has: 2 }))).toBe(true)
  expect(isNews(before, claimOf({ allocated: 2, state: 'controllerInProgress' }))).toBe(false)
  expect(isNews(before, claimOf({ allocated: 2, state: 'controllerInfeasible' }))).toBe(false)
  expect(isNews(before, claimOf({ state: 'nodeInfeasible' }))).toBe(true)
})

describe('what the status says', () => {
  const time = '2026-03-02T04:00:00Z'
  const foreign = { type: 'Odd', status: 'True' }
  const failed = { type: 'ControllerResizeError', status: 'True' }
  const claim: Claim = { ...claimOf({}), status: { ...claimOf({}).status, conditions: [foreign, failed] } }

  test('it grows: what failed before is gone where the size is new', () => {
    const resizing = { type: 'Resizing', status: 'True', lastTransitionTime: time }
    const mark = { 'volume.kubernetes.io/node-expansion-not-required': null }
    expect(growing(claim, { size: '2Gi', isNew: true, time })).toEqual({
      metadata: { resourceVersion: '7', annotations: mark },
      status: {
        conditions: [foreign, resizing],
        allocatedResources: { storage: '2Gi' },
        allocatedResourceStatuses: { storage: 'ControllerResizeInProgress' },
      },
    })
    expect(growing(claim, { size: '2Gi', isNew: false, time }).status).toEqual({
      conditions: [foreign, failed, resizing],
      allocatedResources: { storage: '2Gi' },
    })
  })

  test('it failed', () => {
    const told = { ...failed, lastTransitionTime: time, message: 'failed to expand pvc with no' }
    expect(growingFailed(claim, { why: 'no', isInfeasible: false, time })).toEqual({
      metadata: {},
      status: { conditions: [foreign, told] },
    })
    expect(growingFailed(claim, { why: 'no', isInfeasible: true, time }).status).toEqual({
      conditions: [foreign, told],
      allocatedResourceStatuses: { storage: 'ControllerResizeInfeasible' },
    })
  })

  test('a kubelet is next, or nobody', () => {
    expect(nodeIsNext(claim, time).status['allocatedResourceStatuses']).toEqual({ storage: 'NodeResizePending' })
    expect(grown(claim, '2Gi').status).toEqual({
      capacity: { storage: '2Gi' },
      conditions: [foreign],
      allocatedResourceStatuses: { storage: null },
    })
  })
})
