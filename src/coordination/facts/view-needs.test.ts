import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { builtIn, resourceKey } from '#kube/objects/resource.ts'
import type { Verb } from '../intent.ts'
import type { ArbitrationMode } from '../policy/arbiter-policy.ts'
import { HandFedInformers } from '../testdata/hand-fed-informers.ts'
import { clusterNeeds } from './cluster-view.ts'
import { isAsked, isWhole, onlyOf, viewNeedsOf } from './view-needs.ts'

describe('what the arbiter watches', () => {
  const asker = (name: string, ...disrupts: readonly Verb[]) => ({ name, disrupts })
  const modes = (reload: ArbitrationMode): Readonly<Record<string, ArbitrationMode>> => ({ reload, deschedule: 'observe' })

  // biome-ignore format: a table
  test.each<[string, readonly ReturnType<typeof asker>[], ArbitrationMode, boolean]>([
    ['nobody asks',                                      [],                                                        'observe',    false],
    ['who restarts and evicts as its upstream does',     [asker('reload', 'restart', 'evict')],                     'observe',    false],
    ['who waits for others: what they did counts',       [asker('reload', 'restart')],                              'coordinate', true],
    ['who is held by every rule',                        [asker('reload', 'restart')],                              'enforce',    true],
    ['who takes nodes, in whatever mode',                [asker('reload', 'restart'), asker('deschedule', 'drain')], 'observe',    true],
    ['one whose mode nobody said',                       [asker('other', 'restart')],                               'observe',    true],
  ])('%s', (_name, askers, mode, expected) => {
    expect(isWhole(viewNeedsOf(askers, modes(mode)))).toBe(expected)
  })

  test('nothing where nobody asks: there is no right to it', () => {
    const needs = viewNeedsOf([], {})
    expect([isAsked(needs), needs, viewNeedsOf([], modes('enforce')) === needs]).toEqual([false, [], true])
    expect(isAsked(viewNeedsOf([asker('reload', 'restart')], modes('observe')))).toBe(true)
  })

  test('for restarts: what is restarted and who owns it, no volumes, services and Jobs, no templates of ReplicaSets', () => {
    const needs = viewNeedsOf([asker('reload', 'restart')], modes('observe'))
    expect(needs.map(resourceKey).toSorted()).toEqual([
      'daemonsets.apps',
      'deployments.apps',
      'namespaces',
      'nodes',
      'poddisruptionbudgets.policy',
      'pods',
      'replicasets.apps',
      'replicationcontrollers',
      'scaledobjects.keda.sh',
      'statefulsets.apps',
    ])
    expect(needs.find(({ kind }) => kind === 'ReplicaSet')?.mode).toBe('projection')
    expect(clusterNeeds.length).toBeGreaterThan(needs.length)
  })
})

test('of what is not needed nobody starts a watch', () => {
  const informers = new HandFedInformers(new VirtualClock(0))
  const seen = onlyOf(informers, viewNeedsOf([{ name: 'reload', disrupts: ['restart'] }], { reload: 'observe' }))
  expect(seen.of(builtIn.pods)).toBe(informers.of(builtIn.pods))
  const jobs = seen.of(builtIn.jobs)
  expect([seen.of(builtIn.jobs) === jobs, jobs.isSynced, [...jobs.store.list()]]).toEqual([true, true, []])
  expect(() => informers.store('jobs')).toThrow('nobody asked for jobs')
})
