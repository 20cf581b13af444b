// Deployments: rollouts good and bad, by every strategy, paused, resized amid a rollout, rolled back, failing.
import { firstImage, imagePatch, secondImage, thirdImage, workload } from './manifests.ts'
import { type Loose, type Scenario, type ScenarioRun, withImage } from './scenario.ts'

interface Named {
  readonly metadata: { readonly name: string }
}

const kinds = ['Deployment', 'ReplicaSet', 'Pod'] as const

async function running(run: ScenarioRun, spec: Loose): Promise<void> {
  await run.step('created', () => run.create('Deployment', workload('web', spec)))
  await run.step('all ready', () => run.ready())
}

/** Pods of the new template get ready one after the other, and pods that are to go are gone, until all is done. */
async function finish(run: ScenarioRun, image: string, steps: number, atOnce = 1): Promise<void> {
  for (let step = 1; step <= steps; step++) {
    await run.step(`new ready ${step}`, () => run.ready(withImage(image), atOnce))
    await run.step(`old gone ${step}`, () => run.gone())
  }
}

export const deploymentScenarios: readonly Scenario[] = [
  {
    name: 'rollout-good',
    kinds,
    async play(run) {
      await running(run, { replicas: 4 })
      await run.step('new image', () => run.patch('Deployment', 'web', imagePatch(secondImage)))
      await finish(run, secondImage, 4)
    },
  },
  {
    name: 'rollout-bad',
    kinds,
    async play(run) {
      await running(run, { replicas: 10, progressDeadlineSeconds: 8 })
      await run.step('an image that never gets ready', () => run.patch('Deployment', 'web', imagePatch(secondImage)))
      await run.step('old gone', () => run.gone())
      await run.step('after the deadline', () => run.wait(10_000))
      await run.step('back to the first image', () => run.patch('Deployment', 'web', imagePatch(firstImage)))
      await run.step('all gone', () => run.gone())
      await run.step('all ready', () => run.ready())
    },
  },
  {
    name: 'rollout-paused',
    kinds,
    async play(run) {
      await running(run, { replicas: 3 })
      await run.step('paused', () => run.patch('Deployment', 'web', { spec: { paused: true } }))
      await run.step('new image', () => run.patch('Deployment', 'web', imagePatch(secondImage)))
      await run.step('scaled while paused', () => run.patch('Deployment', 'web', { spec: { replicas: 5 } }))
      await run.step('resumed', () => run.patch('Deployment', 'web', { spec: { paused: null } }))
      await run.step('paused amid the rollout', () => run.patch('Deployment', 'web', { spec: { paused: true } }))
      await run.step('new ready', () => run.ready())
      await run.step('resumed again', () => run.patch('Deployment', 'web', { spec: { paused: null } }))
      await finish(run, secondImage, 3, 2)
    },
  },
  {
    name: 'rollout-scaled',
    kinds,
    async play(run) {
      await running(run, { replicas: 10, strategy: { rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } })
      await run.step('new image', () => run.patch('Deployment', 'web', imagePatch(secondImage)))
      await run.step('old gone', () => run.gone())
      await run.step('scaled up', () => run.patch('Deployment', 'web', { spec: { replicas: 15 } }))
      await run.step('scaled down', () => run.patch('Deployment', 'web', { spec: { replicas: 6 } }))
      await run.step('to nothing', () => run.patch('Deployment', 'web', { spec: { replicas: 0 } }))
      await run.step('gone', () => run.gone())
      await run.step('up again', () => run.patch('Deployment', 'web', { spec: { replicas: 2 } }))
    },
  },
  {
    name: 'rollout-back',
    kinds,
    async play(run) {
      await running(run, { replicas: 2, revisionHistoryLimit: 1 })
      const go = async (image: string, step: string) => {
        await run.step(step, () => run.patch('Deployment', 'web', imagePatch(image)))
        for (let round = 0; round < 3; round++) {
          await run.step(`${step}, ready ${round}`, () => run.ready())
          await run.step(`${step}, gone ${round}`, () => run.gone())
        }
      }
      await go(secondImage, 'second image')
      await go(thirdImage, 'third image')
      await go(secondImage, 'second image again')
      await run.step('annotated', () =>
        run.patch('Deployment', 'web', { metadata: { annotations: { note: 'mine' }, labels: { team: 'a' } } }),
      )
    },
  },
  {
    name: 'rollout-recreate',
    kinds,
    async play(run) {
      await running(run, { replicas: 3, strategy: { type: 'Recreate' } })
      await run.step('new image', () => run.patch('Deployment', 'web', imagePatch(secondImage)))
      await run.step('one gone', async () => {
        const [first] = await run.pods()
        await run.gone(pod => pod.metadata.name === first?.metadata.name)
      })
      await run.step('all gone', () => run.gone())
      await run.step('all ready', () => run.ready())
    },
  },
  {
    name: 'rollout-no-surge',
    kinds,
    async play(run) {
      await running(run, { replicas: 3, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } })
      await run.step('new image', () => run.patch('Deployment', 'web', imagePatch(secondImage)))
      await finish(run, secondImage, 4)
    },
  },
  {
    name: 'rollout-all-at-once',
    kinds,
    async play(run) {
      await running(run, { replicas: 4, strategy: { rollingUpdate: { maxSurge: '100%', maxUnavailable: 0 } } })
      await run.step('new image', () => run.patch('Deployment', 'web', imagePatch(secondImage)))
      await run.step('half ready', () => run.ready(withImage(secondImage), 2))
      await run.step('all ready', () => run.ready())
      await run.step('old gone', () => run.gone())
    },
  },
  {
    name: 'rollout-both-nothing',
    kinds,
    async play(run) {
      await running(run, { replicas: 3, strategy: { rollingUpdate: { maxSurge: '1%', maxUnavailable: '0%' } } })
      await run.step('new image', () => run.patch('Deployment', 'web', imagePatch(secondImage)))
      await run.step('new ready', () => run.ready())
      await run.step('no surge, per cent of few', () =>
        run.patch('Deployment', 'web', { spec: { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: '10%' } } } }),
      )
      await run.step('third image', () => run.patch('Deployment', 'web', imagePatch(thirdImage)))
      await run.step('gone', () => run.gone())
    },
  },
  {
    name: 'rollout-over-rollout',
    kinds,
    async play(run) {
      await running(run, { replicas: 6 })
      await run.step('second image', () => run.patch('Deployment', 'web', imagePatch(secondImage)))
      await run.step('some ready', () => run.ready(withImage(secondImage), 1))
      await run.step('third image', () => run.patch('Deployment', 'web', imagePatch(thirdImage)))
      await run.step('gone', () => run.gone())
      await finish(run, thirdImage, 4, 2)
    },
  },
  {
    name: 'ready-for-a-while',
    kinds,
    async play(run) {
      await run.step('created', () => run.create('Deployment', workload('web', { replicas: 2, minReadySeconds: 8 })))
      await run.step('ready', () => run.ready())
      await run.step('after minReadySeconds', () => run.wait(9_000))
      await run.step('one no longer ready', async () => {
        const [first] = await run.pods()
        await run.unready(pod => pod.metadata.name === first?.metadata.name)
      })
    },
  },
  {
    name: 'deployment-in-quota',
    kinds: [...kinds, 'ResourceQuota'],
    async play(run) {
      await run.step('quota', () =>
        run.create('ResourceQuota', { metadata: { name: 'few' }, spec: { hard: { pods: '2', 'count/deployments.apps': '3' } } }),
      )
      await run.step('created', () => run.create('Deployment', workload('web', { replicas: 3, progressDeadlineSeconds: 5 })))
      await run.step('ready', () => run.ready())
      await run.step('after the deadline', () => run.wait(7_000))
    },
  },
  {
    name: 'deployment-adopts',
    kinds,
    async play(run) {
      await run.step('created', () => run.create('Deployment', workload('web', { replicas: 2 })))
      await run.step('deleted alone', () => run.remove('Deployment', 'web', { propagationPolicy: 'Orphan' }))
      await run.step('created again', () => run.create('Deployment', workload('web', { replicas: 2 })))
      await run.step('set deleted', async () => {
        for (const { metadata } of (await run.list('ReplicaSet')) as readonly (Loose & Named)[])
          await run.remove('ReplicaSet', metadata.name)
      })
    },
  },
]
