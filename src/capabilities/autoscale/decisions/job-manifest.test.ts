import { describe, expect, test } from 'vitest'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import type { ScaledJob } from '../kinds/scaled-job.ts'
import { jobCounts, jobsBeyondHistory } from './job-manifest.ts'

const time = (minute: number) => `2026-03-02T04:${String(minute).padStart(2, '0')}:00Z`

/** A Job that ended at that minute; a failed one has no time of completion, as Kubernetes leaves it. */
function ended(name: string, finish: 'Complete' | 'Failed', minute: number): KubeObject {
  const conditions = [{ type: finish, status: 'True', lastTransitionTime: time(minute) }]
  const completionTime = finish === 'Complete' ? { completionTime: time(minute) } : {}
  return { apiVersion: 'batch/v1', kind: 'Job', metadata: { name }, status: { conditions, ...completionTime } }
}

/** A Job that goes on: suspended, or one that is about to fail and has not yet. */
const going = (name: string, type = 'Suspended'): KubeObject => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name },
  status: { conditions: [{ type, status: type === 'Failed' ? 'False' : 'True' }] },
})

function scaledJob(spec: Partial<ScaledJob['spec']>): ScaledJob {
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledJob',
    metadata: { name: 'queue', namespace: 'media' },
    spec: { jobTargetRef: {}, triggers: [], ...spec },
  } as ScaledJob
}

describe('jobs beyond the history', () => {
  const jobs = [
    ended('c3', 'Complete', 3),
    going('g1'),
    ended('c1', 'Complete', 1),
    ended('f2', 'Failed', 2),
    ended('c2', 'Complete', 2),
    going('g2', 'Failed'),
    ended('f1', 'Failed', 1),
  ]
  const cases: readonly (readonly [string, Partial<ScaledJob['spec']>, readonly string[]])[] = [
    ['a hundred of each are kept', {}, []],
    [
      'none is kept, whatever goes on',
      { successfulJobsHistoryLimit: 0, failedJobsHistoryLimit: 0 },
      ['c1', 'c2', 'c3', 'f1', 'f2'],
    ],
    ['the oldest go first', { successfulJobsHistoryLimit: 1 }, ['c1', 'c2']],
    ['each limit counts for its own', { failedJobsHistoryLimit: 1 }, ['f1']],
    ['as many as there are', { successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 2 }, []],
  ]
  test.each(cases)('%s', (_name, spec, names) => {
    expect(jobsBeyondHistory(scaledJob(spec), jobs).map(({ metadata }) => metadata.name)).toEqual(names)
  })

  test('of a hundred and two that say nothing of it the two oldest', () => {
    const many = Array.from({ length: 102 }, (_none, index) => ended(`c${index}`, 'Complete', 0)).map((job, index) => ({
      ...job,
      status: { ...Object(job['status']), completionTime: new Date(Date.parse(time(0)) + (101 - index) * 1_000).toISOString() },
    }))
    expect(jobsBeyondHistory(scaledJob({}), many).map(({ metadata }) => metadata.name)).toEqual(['c101', 'c100'])
  })
})

describe('jobs that wait', () => {
  const pod = (phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed', ...held: readonly string[]): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [] },
    status: {
      phase,
      conditions: ['PodScheduled', 'PodReadyToStartContainers', 'Ready'].map(type => ({
        type,
        status: held.includes(type) ? 'True' : 'False',
      })),
    },
  })
  const cases: readonly (readonly [string, readonly Pod[], readonly string[], number])[] = [
    ['without a pod', [], [], 1],
    ['its pod waits', [pod('Pending', 'PodScheduled')], [], 1],
    ['its pod runs', [pod('Running')], [], 0],
    ['its pod is done', [pod('Succeeded')], [], 0],
    ['its pod has failed', [pod('Failed')], [], 1],
    ['one of two runs', [pod('Failed'), pod('Running')], [], 0],
    ['a condition that holds, whatever the phase', [pod('Pending', 'PodScheduled')], ['PodScheduled'], 0],
    ['one of two conditions', [pod('Running', 'PodScheduled')], ['PodScheduled', 'Ready'], 1],
    ['both, each in another pod', [pod('Running', 'PodScheduled'), pod('Running', 'Ready')], ['PodScheduled', 'Ready'], 1],
    ['both in one pod', [pod('Running'), pod('Running', 'PodScheduled', 'Ready')], ['PodScheduled', 'Ready'], 0],
    ['a condition that the pod does not have', [pod('Running', 'Ready')], ['example.com/Warm'], 1],
  ]
  test.each(cases)('%s', (_name, pods, conditions, pending) => {
    expect(jobCounts([going('g1')], () => pods, conditions)).toEqual({ running: 1, pending })
  })

  test('what is over neither runs nor waits', () => {
    const jobs = [ended('c1', 'Complete', 1), ended('f1', 'Failed', 1), going('g1', 'Failed')]
    expect(jobCounts(jobs, () => [], ['Ready'])).toEqual({ running: 1, pending: 1 })
  })
})
