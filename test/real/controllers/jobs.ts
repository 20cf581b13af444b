// Jobs and CronJobs: counting, back-off, policies, indexes, suspension, deadlines, schedules.
import { job, podSpec } from './manifests.ts'
import { everyPod, type Loose, type PodView, type Scenario } from './scenario.ts'

const kinds = ['Job', 'Pod'] as const
/** The controller counts ended pods at most once a second, by two writes. */
const quietMs = 2_500

const ofIndex =
  (...indexes: readonly number[]) =>
  (pod: PodView) =>
    indexes.includes(Number(pod.metadata.labels?.['batch.kubernetes.io/job-completion-index'] ?? -1))

const never: Loose = { spec: podSpec({ restartPolicy: 'Never' }) }

export const jobScenarios: readonly Scenario[] = [
  {
    name: 'job-three-by-two',
    kinds,
    quietMs,
    async play(run) {
      await run.step('created', () => run.create('Job', job('work', { completions: 3, parallelism: 2 })))
      await run.step('ready', () => run.ready())
      await run.step('one succeeded', () => run.finish('Succeeded', everyPod, { most: 1 }))
      await run.step('two more succeeded', () => run.finish('Succeeded', pod => pod.status?.phase !== 'Succeeded'))
      await run.step('the rest succeeded', () => run.finish('Succeeded'))
    },
  },
  {
    name: 'job-indexed',
    kinds,
    quietMs,
    async play(run) {
      await run.step('created', () =>
        run.create('Job', job('work', { completions: 4, parallelism: 3, completionMode: 'Indexed' })),
      )
      await run.step('index 1 succeeded', () => run.finish('Succeeded', ofIndex(1)))
      await run.step('index 0 failed', () => run.finish('Failed', ofIndex(0)))
      await run.step('after the back-off', () => run.wait(12_000))
      await run.step('all succeeded', () => run.finish('Succeeded'))
    },
  },
  {
    name: 'job-work-queue',
    kinds,
    quietMs,
    async play(run) {
      await run.step('created', () => run.create('Job', job('work', { parallelism: 2 })))
      await run.step('one succeeded', () => run.finish('Succeeded', everyPod, { most: 1 }))
      await run.step('the other too', () => run.finish('Succeeded'))
    },
  },
  {
    name: 'job-fails',
    kinds,
    quietMs,
    async play(run) {
      await run.step('created', () => run.create('Job', job('work', { backoffLimit: 1, parallelism: 2, completions: 2 })))
      await run.step('one failed', () => run.finish('Failed', everyPod, { most: 1 }))
      await run.step('after the back-off', () => run.wait(12_000))
      await run.step('another failed', () => run.finish('Failed', everyPod, { most: 1 }))
      await run.step('gone', () => run.gone())
      await run.step('deleted', () => run.remove('Job', 'work', { propagationPolicy: 'Background' }))
    },
  },
  {
    name: 'job-limit-per-index',
    kinds,
    quietMs,
    async play(run) {
      await run.step('created', () =>
        run.create(
          'Job',
          job('work', {
            completions: 3,
            parallelism: 3,
            completionMode: 'Indexed',
            backoffLimitPerIndex: 0,
            maxFailedIndexes: 2,
          }),
        ),
      )
      await run.step('index 1 failed', () => run.finish('Failed', ofIndex(1)))
      await run.step('others succeeded', () => run.finish('Succeeded', ofIndex(0, 2)))
    },
  },
  {
    name: 'job-too-many-failed-indexes',
    kinds,
    quietMs,
    async play(run) {
      await run.step('created', () =>
        run.create(
          'Job',
          job('work', {
            completions: 4,
            parallelism: 4,
            completionMode: 'Indexed',
            backoffLimitPerIndex: 1,
            maxFailedIndexes: 0,
          }),
        ),
      )
      await run.step('index 1 failed', () => run.finish('Failed', ofIndex(1)))
      await run.step('after the back-off', () => run.wait(12_000))
      await run.step('index 1 failed again', () => run.finish('Failed', ofIndex(1)))
      await run.step('gone', () => run.gone())
    },
  },
  {
    name: 'job-policy-fails',
    kinds,
    quietMs,
    async play(run) {
      const podFailurePolicy = {
        rules: [{ action: 'FailJob', onExitCodes: { containerName: 'main', operator: 'In', values: [42] } }],
      }
      await run.step('created', () => run.create('Job', job('work', { parallelism: 2, completions: 2, podFailurePolicy })))
      await run.step('exit code 42', () => run.finish('Failed', everyPod, { most: 1, exitCode: 42 }))
      await run.step('gone', () => run.gone())
    },
  },
  {
    name: 'job-policy-ignores',
    kinds,
    quietMs,
    async play(run) {
      const podFailurePolicy = {
        rules: [
          { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
          { action: 'Count', onExitCodes: { operator: 'NotIn', values: [3] } },
        ],
      }
      await run.step('created', () => run.create('Job', job('work', { backoffLimit: 0, podFailurePolicy })))
      await run.step('disrupted', () =>
        run.finish('Failed', everyPod, {
          conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }],
        }),
      )
      await run.step('after the back-off', () => run.wait(12_000))
      await run.step('exit code 4', () => run.finish('Failed', pod => pod.status?.phase !== 'Failed', { exitCode: 4 }))
    },
  },
  {
    name: 'job-policy-fails-index',
    kinds,
    quietMs,
    async play(run) {
      const podFailurePolicy = { rules: [{ action: 'FailIndex', onExitCodes: { operator: 'In', values: [7] } }] }
      await run.step('created', () =>
        run.create(
          'Job',
          job('work', { completions: 2, parallelism: 2, completionMode: 'Indexed', backoffLimitPerIndex: 3, podFailurePolicy }),
        ),
      )
      await run.step('index 0 with 7', () => run.finish('Failed', ofIndex(0), { exitCode: 7 }))
      await run.step('index 1 succeeded', () => run.finish('Succeeded', ofIndex(1)))
    },
  },
  {
    name: 'job-success-policy',
    kinds,
    quietMs,
    async play(run) {
      const successPolicy = { rules: [{ succeededIndexes: '0,2', succeededCount: 1 }] }
      await run.step('created', () =>
        run.create('Job', job('work', { completions: 3, parallelism: 3, completionMode: 'Indexed', successPolicy })),
      )
      await run.step('index 1 succeeded', () => run.finish('Succeeded', ofIndex(1)))
      await run.step('index 2 succeeded', () => run.finish('Succeeded', ofIndex(2)))
      await run.step('gone', () => run.gone())
    },
  },
  {
    name: 'job-suspended',
    kinds,
    quietMs,
    async play(run) {
      await run.step('created suspended', () => run.create('Job', job('work', { suspend: true, parallelism: 2, completions: 2 })))
      await run.step('resumed', () => run.patch('Job', 'work', { spec: { suspend: false } }))
      await run.step('suspended', () => run.patch('Job', 'work', { spec: { suspend: true } }))
      await run.step('gone', () => run.gone())
      await run.step('resumed again', () => run.patch('Job', 'work', { spec: { suspend: false } }))
      await run.step('succeeded', () => run.finish('Succeeded'))
    },
  },
  {
    name: 'job-deadline',
    kinds,
    quietMs,
    async play(run) {
      await run.step('created', () =>
        run.create('Job', job('work', { activeDeadlineSeconds: 20, parallelism: 2, completions: 2 })),
      )
      await run.step('one succeeded', () => run.finish('Succeeded', everyPod, { most: 1 }))
      await run.step('after the deadline', () => run.wait(18_000))
      await run.step('gone', () => run.gone())
    },
  },
  {
    name: 'job-expires',
    kinds,
    quietMs,
    async play(run) {
      await run.step('created', () => run.create('Job', job('work', { ttlSecondsAfterFinished: 6 })))
      await run.step('succeeded', () => run.finish('Succeeded'))
      await run.step('after its time', () => run.wait(8_000))
    },
  },
  {
    name: 'job-resized',
    kinds,
    quietMs,
    async play(run) {
      await run.step('created', () => run.create('Job', job('work', { parallelism: 3, completions: 6 })))
      await run.step('fewer', () => run.patch('Job', 'work', { spec: { parallelism: 1 } }))
      await run.step('gone', () => run.gone())
      await run.step('more', () => run.patch('Job', 'work', { spec: { parallelism: 4 } }))
      await run.step('none', () => run.patch('Job', 'work', { spec: { parallelism: 0 } }))
    },
  },
  {
    name: 'job-replaces-failed-only',
    kinds,
    quietMs,
    async play(run) {
      await run.step('created', () => run.create('Job', job('work', { podReplacementPolicy: 'Failed' })))
      await run.step('pod deleted', async () => {
        const [pod] = await run.pods()
        await run.remove('Pod', pod?.metadata.name ?? '')
      })
      await run.step('failed', () => run.finish('Failed'))
      await run.step('gone', () => run.gone())
      await run.step('after the back-off', () => run.wait(12_000))
    },
  },
  {
    name: 'job-replaces-at-once',
    kinds,
    quietMs,
    async play(run) {
      await run.step('created', () => run.create('Job', job('work')))
      await run.step('pod deleted', async () => {
        const [pod] = await run.pods()
        await run.remove('Pod', pod?.metadata.name ?? '')
      })
      await run.step('gone', () => run.gone())
      await run.step('after the back-off', () => run.wait(12_000))
    },
  },
  {
    name: 'job-of-others',
    kinds,
    quietMs,
    async play(run) {
      await run.step('created', () => run.create('Job', job('work', { managedBy: 'example.com/other' })))
      await run.step('own one', () => run.create('Job', job('own', { managedBy: 'kubernetes.io/job-controller' })))
    },
  },
  {
    name: 'job-deleted-foreground',
    kinds,
    quietMs,
    async play(run) {
      await run.step('created', () => run.create('Job', job('work', { parallelism: 2, completions: 2 })))
      await run.step('deleted', () => run.remove('Job', 'work', { propagationPolicy: 'Foreground' }))
      await run.step('gone', () => run.gone())
    },
  },
  {
    name: 'cron-every-minute',
    kinds: ['CronJob', 'Job'],
    quietMs,
    async play(run) {
      await run.step('created', () =>
        run.create('CronJob', {
          metadata: { name: 'tick' },
          spec: {
            schedule: '* * * * *',
            concurrencyPolicy: 'Replace',
            jobTemplate: { metadata: { labels: { a: 'b' } }, spec: { template: never } },
          },
        }),
      )
      await run.step('after the next minute', () => run.wait(60_000 - (run.nowMs % 60_000) + 2_000))
      await run.step('its job succeeded', () => run.finish('Succeeded'))
      await run.step('suspended', () => run.patch('CronJob', 'tick', { spec: { suspend: true } }))
      await run.step('deleted', () => run.remove('CronJob', 'tick', { propagationPolicy: 'Background' }))
    },
  },
  {
    name: 'cron-forbids',
    kinds: ['CronJob', 'Job'],
    quietMs,
    async play(run) {
      const spec = {
        schedule: '* * * * *',
        timeZone: 'Europe/Berlin',
        concurrencyPolicy: 'Forbid',
        successfulJobsHistoryLimit: 0,
      }
      await run.step('created', () =>
        run.create('CronJob', { metadata: { name: 'tick' }, spec: { ...spec, jobTemplate: { spec: { template: never } } } }),
      )
      await run.step('after the next minute', () => run.wait(60_000 - (run.nowMs % 60_000) + 2_000))
      await run.step('after another', () => run.wait(60_000 - (run.nowMs % 60_000) + 2_000))
      await run.step('its job succeeded', () => run.finish('Succeeded'))
    },
  },
]
