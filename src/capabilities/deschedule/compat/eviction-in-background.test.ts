import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type PodState, podState } from '#cluster/cluster-state.ts'
import { pod } from '#cluster/testdata/objects.ts'
import { upstreamText } from '#test/upstream-texts.ts'
import { assumedForMs, type BackgroundEnd, BackgroundEvictions, isEvacuation } from './eviction-in-background.ts'

const request = 'descheduler.alpha.kubernetes.io/request-evict-only'
const progress = 'descheduler.alpha.kubernetes.io/eviction-in-progress'

interface Look {
  readonly name?: string
  readonly node?: string
  readonly phase?: string
  readonly isRequested?: boolean
  readonly isInProgress?: boolean
}

/** A pod that asks to be evicted by request alone. */
function vm(look: Look = {}): PodState {
  const { name = 'vm', node = 'a', phase = 'Running', isRequested = true, isInProgress = false } = look
  const made = pod(`shop/${name}`, { node, status: { phase } })
  const annotations = { ...(isRequested && { [request]: '' }), ...(isInProgress && { [progress]: '' }) }
  return podState({ object: () => undefined }, { ...made, metadata: { ...made.metadata, annotations } })
}

const by = { strategy: 'PodLifeTime', profile: 'p', nowMs: 0 }
const end = (result: BackgroundEnd['result']) => [{ result, pod: expect.anything(), strategy: 'PodLifeTime', profile: 'p' }]

function assumed(...pods: readonly PodState[]): BackgroundEvictions {
  const background = new BackgroundEvictions()
  for (const one of pods.length === 0 ? [vm()] : pods) background.assume(one, by)
  return background
}

test('an assumed eviction counts on its node, in its namespace and altogether, and is not asked for again', () => {
  const background = assumed(vm(), vm({ name: 'vm-2', node: 'b' }), vm())
  expect([background.total, background.onNode('a'), background.onNode('b'), background.inNamespace('shop')]).toEqual([2, 1, 1, 2])
  expect(background.onNode('c')).toBe(0)
  expect(background.isUnderWay(vm())).toBe(true)
  expect(background.isUnderWay(vm({ isRequested: false }))).toBe(false)
  expect(background.isUnderWay(vm({ name: 'other' }))).toBe(false)
})

test.each<[string, Look, Look, readonly unknown[], number]>([
  ['nothing that matters changes', {}, {}, [], 1],
  ['it comes into progress', {}, { isInProgress: true }, [], 1],
  ['progress is taken away', { isInProgress: true }, {}, [], 0],
  ['the request is taken away', {}, { isRequested: false }, [], 0],
  ['it completes', { isInProgress: true }, { phase: 'Succeeded' }, end('success'), 0],
  ['it fails', {}, { phase: 'Failed' }, end('error'), 0],
])('assumed, and %s', (_, before, after, ends, left) => {
  const background = assumed()
  expect(background.podChanged(vm(before), vm(after))).toEqual(ends)
  expect([background.total, background.onNode('a'), background.inNamespace('shop')]).toEqual([left, left, left])
})

test('an assumed pod that is deleted was a success; one that nobody knows is nothing', () => {
  const background = assumed()
  expect(background.podDeleted(vm({ name: 'other' }))).toEqual([])
  expect(background.podDeleted(vm())).toEqual(end('success'))
  expect(background.podDeleted(vm())).toEqual([])
  expect(background.total).toBe(0)
})

test.each<[string, Look, number]>([
  ['asks and is in progress', { isInProgress: true }, 1],
  ['asks alone', {}, 0],
  ['is in progress without asking', { isRequested: false, isInProgress: true }, 0],
  ['is finished', { isInProgress: true, phase: 'Succeeded' }, 0],
])('at the start a pod that %s', (_, look, total) => {
  const background = new BackgroundEvictions()
  background.podAppeared(vm(look))
  expect(background.total).toBe(total)
})

test('the end of an eviction that was only seen is no result of ours', () => {
  const seen = () => {
    const background = new BackgroundEvictions()
    background.podAppeared(vm({ isInProgress: true }))
    return background
  }
  expect(seen().podDeleted(vm())).toEqual([])
  expect(seen().podChanged(vm(), vm({ phase: 'Failed' }))).toEqual([])
  expect(seen().giveUp(assumedForMs * 100)).toEqual([])
})

test('a later change shows it in progress again', () => {
  const background = new BackgroundEvictions()
  background.podChanged(vm(), vm({ isInProgress: true }))
  background.podChanged(vm({ isInProgress: true }), vm({ isInProgress: true }))
  expect(background.total).toBe(1)
})

test('what the watch showed before the answer came is assumed then, and counted once', () => {
  const background = new BackgroundEvictions()
  background.podChanged(vm(), vm({ isInProgress: true }))
  background.assume(vm(), by)
  background.assume(vm(), { ...by, strategy: 'Other' })
  expect(background.total).toBe(1)
  expect(background.podDeleted(vm())).toEqual(end('success'))
})

test.each<[number, number]>([
  [0, 1],
  [assumedForMs, 1],
  [assumedForMs + 999, 1],
  [assumedForMs + 1_000, 0],
])('after %d ms %d are left', (atMs, left) => {
  const background = assumed()
  expect(background.giveUp(atMs)).toEqual(left === 0 ? end('error') : [])
  expect(background.total).toBe(left)
})

test('the answer of somebody who evicts in background is known by its words and the annotation', () => {
  const message = `${upstreamText('webhook-denied', 'virt')}: ${upstreamText('evacuation')} of VMI "shop/vm"`
  expect(isEvacuation(vm(), message)).toBe(true)
  expect(isEvacuation(vm({ isRequested: false }), message)).toBe(false)
  expect(isEvacuation(vm(), "Cannot evict pod as it would violate the pod's disruption budget.")).toBe(false)
})

test('counts are those of the pods under way, whatever happens in which order', () => {
  const look = fc.record({
    name: fc.constantFrom('vm-1', 'vm-2', 'vm-3'),
    node: fc.constant('a'),
    phase: fc.constantFrom('Running', 'Succeeded', 'Failed'),
    isRequested: fc.boolean(),
    isInProgress: fc.boolean(),
  })
  const step = fc.record({ what: fc.constantFrom('assume', 'appear', 'change', 'delete', 'giveUp'), look, before: look })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), steps => {
      const background = new BackgroundEvictions()
      let assumedCount = 0
      let ends = 0
      for (const { what, look: given, before } of steps) {
        const one = vm(given)
        if (what === 'assume') {
          background.assume(one, by)
          assumedCount++
        }
        if (what === 'appear') background.podAppeared(one)
        if (what === 'change') ends += background.podChanged(vm({ ...before, name: given.name }), one).length
        if (what === 'delete') ends += background.podDeleted(one).length
        if (what === 'giveUp') ends += background.giveUp(assumedForMs * 2).length
        expect(background.total).toBe(background.onNode('a'))
        expect(background.total).toBe(background.inNamespace('shop'))
        expect(background.total).toBeLessThanOrEqual(3)
      }
      expect(ends).toBeLessThanOrEqual(assumedCount)
    }),
    { numRuns: 200 },
  )
})
