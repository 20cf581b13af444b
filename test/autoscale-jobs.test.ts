// ScaledJobs on the twin: Jobs by the length of queues, never more than wanted, whenever the operator ends.
import { expect, test } from 'vitest'
import { at } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { ScaledJob } from '../src/capabilities/autoscale/kinds/scaled-job.ts'
import { kedaFinalizer, scaledJobs } from '../src/capabilities/autoscale/names.ts'
import { jobLife, jobsOf, scaledJob, waiting } from './autoscale-lives.ts'
import { AutoscaleSite } from './autoscale-site.ts'

const conditions = (object: ScaledJob) =>
  object.status?.conditions?.map(({ type, status, reason }) => `${type} ${status} ${reason}`)

test('a queue starts Jobs, as KEDA makes them, and no more than it has', async () => {
  await using site = await AutoscaleSite.start(0)
  await site.operator({ isServed: false })
  await site.create(
    scaledJobs,
    scaledJob({}, { labels: { team: 'one', secret: 'no' }, annotations: { 'scaledjob.keda.sh/job-excluded-labels': 'secret' } }),
  )
  await site.clock.advance(5_000)
  const jobs = await jobsOf(site)
  expect(jobs).toHaveLength(3)
  const [first] = jobs
  expect(first?.metadata.name).toMatch(/^work-.{5}$/)
  expect(first?.metadata.labels).toMatchObject({
    'app.kubernetes.io/name': 'work',
    'app.kubernetes.io/part-of': 'work',
    'app.kubernetes.io/managed-by': 'keda-operator',
    'scaledjob.keda.sh/name': 'work',
    team: 'one',
  })
  expect(first?.metadata.labels).not.toHaveProperty('secret')
  expect(first?.metadata.annotations).toMatchObject({ 'scaledjob.keda.sh/generation': '1' })
  expect(first?.metadata.ownerReferences).toMatchObject([{ kind: 'ScaledJob', name: 'work', controller: true }])
  expect(at(first, 'spec', 'template', 'spec', 'restartPolicy')).toBe('OnFailure')
  expect(at(first, 'spec', 'template', 'metadata', 'labels')).toMatchObject({ own: 'yes', 'scaledjob.keda.sh/name': 'work' })
  // They run on: as many as wait are at work.
  await site.clock.advance(60_000)
  expect(await jobsOf(site)).toHaveLength(3)
  const object = await site.get<ScaledJob>(scaledJobs, 'work')
  expect(object.metadata.finalizers).toEqual([kedaFinalizer])
  expect(conditions(object)).toEqual([
    'Ready True ScaledJobReady',
    'Active True ScalerActive',
    'Fallback Unknown undefined',
    'Paused False undefined',
  ])
  expect(object.status).toMatchObject({
    triggersTypes: 'cron',
    authenticationsTypes: '',
    triggersActivity: { 's0-cron-Etc-UTC-00302x-012xxx': { isActive: true } },
  })
  expect(site.events.map(({ reason }) => reason)).toEqual([
    'ScaledJobReady',
    'KEDAScalersStarted',
    'KEDAJobsCreated',
    'ScaledJobActive',
  ])
})

test('a pause stops it, a new spec rolls out, and its end frees it', async () => {
  await using site = await AutoscaleSite.start(0)
  await site.operator({ isServed: false })
  const change = async (body: unknown) =>
    await site.api
      .resource<KubeObject>(scaledJobs)
      .patch('work', { type: 'merge', body }, { namespace: 'default', signal: site.signal })
  await site.create(scaledJobs, scaledJob({}, { annotations: { 'autoscaling.keda.sh/paused': 'true' } }))
  await site.clock.advance(30_000)
  expect(await jobsOf(site)).toHaveLength(0)
  expect(conditions(await site.get<ScaledJob>(scaledJobs, 'work'))).toContain('Paused True ScaledJobPaused')
  await change({ metadata: { annotations: { 'autoscaling.keda.sh/paused': null } } })
  await site.clock.advance(5_000)
  const first = await jobsOf(site)
  expect(first).toHaveLength(3)
  // Jobs of the earlier spec go, and the next are of the new one.
  await change({ spec: { triggers: [waiting(2)] } })
  await site.clock.advance(30_000)
  const second = await jobsOf(site)
  expect(second.map(({ metadata }) => metadata.annotations?.['scaledjob.keda.sh/generation'])).toEqual(['2', '2'])
  // Left to end by themselves they count.
  await change({ spec: { rollout: { strategy: 'gradual' }, triggers: [waiting(4)] } })
  await site.clock.advance(30_000)
  const third = await jobsOf(site)
  expect(third.map(({ metadata }) => metadata.annotations?.['scaledjob.keda.sh/generation']).toSorted()).toEqual([
    '2',
    '2',
    '3',
    '3',
  ])
  await site.api.resource(scaledJobs).delete('work', { namespace: 'default', signal: site.signal })
  await site.clock.advance(30_000)
  await expect(site.get(scaledJobs, 'work')).rejects.toThrow(/not found/)
  const reasons = new Set(site.events.map(({ reason }) => reason))
  for (const reason of [
    'ScaledJobPaused',
    'ScaledJobUnpaused',
    'ScaledJobRolloutCleanupStarted',
    'ScaledJobRolloutCleanupCompleted',
    'KEDAScalersStopped',
    'ScaledJobDeleted',
  ])
    expect(reasons).toContain(reason)
})

const refused: readonly (readonly [Partial<ScaledJob['spec']>, RegExp])[] = [
  [{ triggers: [{ ...waiting(1), metricType: 'Value' }] }, /Cannot set metricType in ScaledJob triggers/],
  [{ triggers: [{ type: 'external-push', metadata: { scalerAddress: 'x:1' } }] }, /external-push is not supported/],
  [{ triggers: [{ ...waiting(1), useCachedMetrics: true }] }, /useCachedMetrics/],
  [{ triggers: [{ type: 'no-such', metadata: {} }] }, /no scaler found for type: no-such/],
]

test('what cannot be used is refused, and starts nothing', async () => {
  await using site = await AutoscaleSite.start(0)
  await site.operator({ isServed: false })
  for (const [index, [spec]] of refused.entries()) await site.create(scaledJobs, scaledJob(spec, { name: `work-${index}` }))
  await site.clock.advance(10_000)
  expect(await jobsOf(site)).toHaveLength(0)
  for (const [index, [, words]] of refused.entries()) {
    const object = await site.get<ScaledJob>(scaledJobs, `work-${index}`)
    expect(conditions(object)?.[0]).toBe('Ready False ScaledJobCheckFailed')
    expect(object.status?.conditions?.[0]?.message).toMatch(words)
  }
})

test('an operator that ends around a start of a Job leaves no Job too many, and none too few', async () => {
  const { writes, seen } = await jobLife()
  expect(seen[0]).toMatch(/^started: Jobs of 1,1,1; Ready True,Active True/)
  expect(seen[1]).toMatch(/^rolled out: Jobs of 2,2; Ready True,Active True/)
  expect(seen[2]).toMatch(/^deleted: Jobs of ;/)
  const starts = writes.flatMap((write, index) => (/^POST .*\/jobs$/.test(write) ? [index + 1] : []))
  expect(starts).toHaveLength(5)
  expect((await jobLife({ write: starts[1] ?? 0, moment: 'after' })).seen).toEqual(seen)
})
