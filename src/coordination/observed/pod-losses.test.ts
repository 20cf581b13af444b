import { describe, expect, test } from 'vitest'
import type { Pod } from '#kube/objects/objects.ts'
import { upstreamText } from '#test/upstream-texts.ts'
import { podLoss, standingLoss } from './pod-losses.ts'
import { at, noonMs, pod, target } from './testdata/plain-cluster.ts'

const evicting = target('EvictionByEvictionAPI', 'Eviction API: evicting')
const lowOnMemory = upstreamText('low-on-resource', 'memory')
const nowMs = noonMs + 10_000

interface Case {
  readonly previous?: Pod
  readonly next: Pod
  readonly isGone?: boolean
}

/** `cause by at`, the time in seconds after noon. */
function told({ previous, next, isGone = false }: Case): string {
  const loss = podLoss({ previous, next, isGone }, nowMs)
  return loss === undefined ? 'nothing' : `${loss.cause} | ${loss.by} | ${(loss.atMs - noonMs) / 1000}`
}

const running = pod('a')
const going = { deletionTimestamp: at(30), deletionGracePeriodSeconds: 30 }

describe('what a change of a pod tells', () => {
  // biome-ignore format: a table
  test.each<[string, Case, string]>([
    ['nothing changed',                             { previous: running, next: running },                                                                 'nothing'],
    ['evicted by the API',                          { previous: running, next: pod('a', { ...going, conditions: [evicting] }) },                           'evicted | somebody | 0'],
    ['the condition alone, not deleted (yet)',      { previous: running, next: pod('a', { conditions: [evicting] }) },                                     'nothing'],
    ['preempted',                                   { previous: running, next: pod('a', { ...going, conditions: [target('PreemptionByScheduler')] }) },    'preempted | kube-scheduler (preemption) | 0'],
    ['taken by a taint',                            { previous: running, next: pod('a', { ...going, conditions: [target('DeletionByTaintManager')] }) },   'tainted | taint-eviction-controller | 0'],
    ['its node is gone',                            { previous: running, next: pod('a', { ...going, conditions: [target('DeletionByPodGC')] }) },          'node-gone | pod garbage collector | 0'],
    ['deleted, nothing says why',                   { previous: running, next: pod('a', going) },                                                         'deleted | somebody | 0'],
    ['deleted with somebody\'s own reason',         { previous: running, next: pod('a', { ...going, conditions: [target('MyOperator')] }) },               'deleted | somebody | 0'],
    ['deleted at once (grace 0)',                   { previous: running, next: pod('a', { deletionTimestamp: at(0), deletionGracePeriodSeconds: 0 }), isGone: true }, 'deleted | somebody | 0'],
    ['gone while the watch was away',               { previous: running, next: running, isGone: true },                                                   'deleted | somebody | 10'],
    ['a deletion time in our future is now',        { previous: running, next: pod('a', { deletionTimestamp: at(500), deletionGracePeriodSeconds: 1 }) },  'deleted | somebody | 10'],
    ['it was leaving already',                      { previous: pod('a', going), next: pod('a', going), isGone: true },                                    'nothing'],
    ['the kubelet ends it: memory',                 { previous: running, next: pod('a', { phase: 'Failed', reason: 'Evicted', message: lowOnMemory, conditions: [target('TerminationByKubelet', lowOnMemory)] }) }, 'kubelet | kubelet (memory pressure) | 0'],
    ['… an old kubelet without the condition',      { previous: running, next: pod('a', { phase: 'Failed', reason: 'Evicted', message: upstreamText('low-on-resource', 'ephemeral-storage') }) }, 'kubelet | kubelet (disk pressure) | 10'],
    ['… PIDs',                                      { previous: running, next: pod('a', { phase: 'Failed', reason: 'Evicted', message: upstreamText('low-on-resource', 'pids') }) },  'kubelet | kubelet (PID pressure) | 10'],
    ['the node shuts down in order',                { previous: running, next: pod('a', { phase: 'Failed', reason: 'Terminated', message: upstreamText('node-shutdown') }) }, 'kubelet | kubelet (node shutdown) | 10'],
    ['it failed by itself',                         { previous: running, next: pod('a', { phase: 'Failed', reason: 'Error' }) },                           'nothing'],
    ['its deadline passed',                         { previous: running, next: pod('a', { phase: 'Failed', reason: 'DeadlineExceeded' }) },                'nothing'],
    ['a finished pod is swept up',                  { previous: pod('a', { phase: 'Succeeded' }), next: pod('a', { ...going, phase: 'Succeeded' }) },    'nothing'],
    ['a failed pod is swept up',                    { previous: pod('a', { phase: 'Failed', reason: 'Evicted' }), next: pod('a', { ...going, phase: 'Failed', reason: 'Evicted' }) }, 'nothing'],
    ['it completes while it is being deleted',      { previous: running, next: pod('a', { ...going, phase: 'Succeeded' }) },                               'nothing'],
    ['a pod without a node',                        { previous: pod('a', { node: '' }), next: pod('a', { ...going, node: '' }) },                          'nothing'],
    ['a static pod',                                { previous: pod('a', { under: { kind: 'Node', name: 'n1' } }), next: pod('a', { ...going, under: { kind: 'Node', name: 'n1' } }) }, 'nothing'],
  ])('%s', (_name, change, expected) => expect(told(change)).toBe(expected))

  test('the evidence is what the pod carries', () =>
    expect(
      podLoss({ previous: running, next: pod('a', { ...going, conditions: [evicting] }), isGone: false }, nowMs)?.evidence,
    ).toBe('pod shop/a has DisruptionTarget EvictionByEvictionAPI: Eviction API: evicting'))
})

describe('what a take-over finds', () => {
  // biome-ignore format: a table
  test.each<[string, Pod, string | undefined]>([
    ['a running pod',             running,                                                                      undefined],
    ['one on its way out',        pod('a', { ...going, conditions: [evicting] }),                              'evicted'],
    ['one the kubelet ended',     pod('a', { phase: 'Failed', reason: 'Evicted', message: lowOnMemory }),      'kubelet'],
    ['one that failed by itself', pod('a', { phase: 'Failed', reason: 'Error' }),                              undefined],
    ['one that is done',          pod('a', { ...going, phase: 'Succeeded' }),                                  undefined],
  ])('%s', (_name, found, cause) => expect(standingLoss(found, nowMs)?.cause).toBe(cause))
})
