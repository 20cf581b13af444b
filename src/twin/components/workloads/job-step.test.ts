import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Pod } from '#kube/objects/objects.ts'
import type { Job, JobSpec } from '../kinds.ts'
import { indexText, type JobCounts, type JobDecision, jobBackOffMs, jobDecision, parseIndexes, podVerdict } from './job-step.ts'

const nowMs = Date.parse('2026-01-01T01:00:00Z')

function job(spec: Partial<JobSpec>): Job {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'j' },
    spec: { parallelism: 1, completions: 1, template: { spec: { containers: [] } }, ...spec },
    status: { startTime: '2026-01-01T00:00:00Z' },
  }
}

function pod(name: string, index?: number): Pod {
  const annotations = index === undefined ? {} : { annotations: { 'batch.kubernetes.io/job-completion-index': String(index) } }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, ...annotations }, spec: { containers: [] } }
}

const counts = (succeeded: number, failed: number, indexes: readonly number[] = []): JobCounts => ({
  succeeded,
  failed,
  completedIndexes: new Set(indexes),
})
const nothing: JobDecision = { end: undefined, create: 0, indexes: [], remove: [] }

describe('decision', () => {
  // biome-ignore format: a table
  test.each<[string, Job, JobCounts, readonly Pod[], Partial<JobDecision>]>([
    ['begins with as many as may run', job({ parallelism: 3, completions: 5 }), counts(0, 0), [], { create: 3 }],
    ['makes no more than are missing', job({ parallelism: 3, completions: 5 }), counts(4, 0), [], { create: 1 }],
    ['waits while they run', job({ parallelism: 3, completions: 5 }), counts(3, 0), [pod('a'), pod('b')], {}],
    ['is complete', job({ completions: 2 }), counts(2, 0), [], { end: { kind: 'complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' } }],
    ['fails beyond the limit and stops what runs', job({ backoffLimit: 2 }), counts(0, 3), [pod('a')], { end: { kind: 'failed', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' }, remove: ['a'] }],
    ['goes on at the limit', job({ backoffLimit: 2 }), counts(0, 2), [], { create: 1 }],
    ['fails when its time is over', job({ activeDeadlineSeconds: 3600 }), counts(0, 0), [pod('a')], { end: { kind: 'failed', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' }, remove: ['a'] }],
    ['suspended: nothing runs', job({ suspend: true }), counts(0, 0), [pod('a')], { remove: ['a'] }],
    ['a work queue only finishes after a success', { ...job({ parallelism: 3 }), spec: { parallelism: 3, template: { spec: { containers: [] } } } }, counts(1, 0), [pod('a')], {}],
    ['indexes: those that are neither done nor running', job({ completionMode: 'Indexed', parallelism: 3, completions: 4 }), counts(1, 0, [1]), [pod('a', 0)], { create: 2, indexes: [2, 3] }],
  ])('%s', (_, given, soFar, active, expected) => {
    expect(jobDecision({ job: given, counts: soFar, active, failJob: undefined, nowMs })).toEqual({ ...nothing, ...expected })
  })
})

describe('a pod', () => {
  const ended = (phase: string, exitCode: number): Pod => ({
    ...pod('p'),
    status: { phase, containerStatuses: [{ name: 'a', state: { terminated: { exitCode } } }] },
  })
  const rules = (action: 'FailJob' | 'Ignore') =>
    job({ podFailurePolicy: { rules: [{ action, onExitCodes: { operator: 'In', values: [42] } }] } })
  const deleted: Pod = {
    ...pod('p'),
    metadata: { name: 'p', deletionTimestamp: '2026-01-01T00:00:00Z' },
    status: { phase: 'Running' },
  }
  // biome-ignore format: a table
  test.each<[string, Job, Pod, object]>([
    ['that succeeded', job({}), ended('Succeeded', 0), { kind: 'succeeded' }],
    ['that failed', job({}), ended('Failed', 1), { kind: 'failed', counts: true }],
    ['that is being deleted counts as failed', job({}), deleted, { kind: 'failed', counts: true }],
    ['that is being deleted is waited for', job({ podReplacementPolicy: 'Failed' }), deleted, { kind: 'running' }],
    ['of an exit code to ignore', rules('Ignore'), ended('Failed', 42), { kind: 'failed', counts: false }],
    ['of an exit code that fails the job', rules('FailJob'), ended('Failed', 42), { kind: 'failed', counts: true, failJob: expect.stringContaining('FailJob rule at index 0') }],
    ['of another exit code', rules('FailJob'), ended('Failed', 1), { kind: 'failed', counts: true, failJob: undefined }],
  ])('%s', (_, given, one, expected) => {
    expect(podVerdict(given, one)).toMatchObject(expected)
  })
})

test.each([
  [0, 0],
  [1, 10_000],
  [3, 40_000],
  [20, 360_000],
])('back-off after %i failures in a row is %i ms', (failures, expected) => {
  expect(jobBackOffMs(failures)).toBe(expected)
})

test('index texts', () => {
  expect(indexText(new Set([5, 0, 1, 2, 8, 7]))).toBe('0-2,5,7,8')
  const isKept = fc.property(fc.uniqueArray(fc.nat(50)), indexes => {
    expect([...parseIndexes(indexText(new Set(indexes)))]).toEqual(indexes.toSorted((a, b) => a - b))
  })
  fc.assert(isKept)
})
