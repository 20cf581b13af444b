// StatefulSets: order, partitions, volumes' claims, many at once.
import { firstImage, imagePatch, secondImage, thirdImage, workload } from './manifests.ts'
import { type Loose, podNamed, type Scenario, type ScenarioRun, withImage } from './scenario.ts'

const kinds = ['StatefulSet', 'Pod', 'ControllerRevision'] as const

async function created(run: ScenarioRun, spec: Loose, pods: number): Promise<void> {
  await run.step('created', () => run.create('StatefulSet', workload('db', { serviceName: 'db', ...spec })))
  for (let pod = 0; pod < pods; pod++) await run.step(`ready ${pod}`, () => run.ready())
}

async function updated(run: ScenarioRun, rounds: number): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    await run.step(`gone ${round}`, () => run.gone())
    await run.step(`ready ${round}`, () => run.ready())
  }
}

const claim: Loose = {
  metadata: { name: 'data' },
  spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'absent', resources: { requests: { storage: '1Gi' } } },
}

export const statefulSetScenarios: readonly Scenario[] = [
  {
    name: 'one-after-the-other',
    kinds,
    async play(run) {
      await created(run, { replicas: 3 }, 3)
      await run.step('new image', () => run.patch('StatefulSet', 'db', imagePatch(secondImage)))
      await updated(run, 3)
      await run.step('to one', () => run.patch('StatefulSet', 'db', { spec: { replicas: 1 } }))
      await run.step('gone', () => run.gone())
      await run.step('gone again', () => run.gone())
      await run.step('back to the first image', () => run.patch('StatefulSet', 'db', imagePatch(firstImage)))
      await updated(run, 1)
    },
  },
  {
    name: 'partition',
    kinds,
    async play(run) {
      await created(run, { replicas: 4, podManagementPolicy: 'Parallel', updateStrategy: { rollingUpdate: { partition: 2 } } }, 1)
      await run.step('new image', () => run.patch('StatefulSet', 'db', imagePatch(secondImage)))
      await updated(run, 2)
      await run.step('one of the old deleted', () => run.remove('Pod', 'db-1'))
      await updated(run, 1)
      await run.step('lower partition', () =>
        run.patch('StatefulSet', 'db', { spec: { updateStrategy: { rollingUpdate: { partition: 0 } } } }),
      )
      await updated(run, 2)
      await run.step('to nothing', () => run.patch('StatefulSet', 'db', { spec: { replicas: 0 } }))
      await run.step('gone', () => run.gone())
    },
  },
  {
    name: 'several-unavailable',
    kinds,
    async play(run) {
      await created(
        run,
        { replicas: 5, podManagementPolicy: 'Parallel', updateStrategy: { rollingUpdate: { maxUnavailable: 2 } } },
        1,
      )
      await run.step('new image', () => run.patch('StatefulSet', 'db', imagePatch(secondImage)))
      await updated(run, 3)
      await run.step('a pod unready', () => run.unready(podNamed('db-0')))
      await run.step('third image', () => run.patch('StatefulSet', 'db', imagePatch(thirdImage)))
      await updated(run, 3)
    },
  },
  {
    name: 'several-unavailable-in-order',
    kinds,
    async play(run) {
      await created(run, { replicas: 5, updateStrategy: { rollingUpdate: { maxUnavailable: '40%' } } }, 5)
      await run.step('new image', () => run.patch('StatefulSet', 'db', imagePatch(secondImage)))
      await updated(run, 4)
    },
  },
  {
    name: 'broken-update',
    kinds,
    async play(run) {
      await created(run, { replicas: 2 }, 2)
      await run.step('an image that never gets ready', () => run.patch('StatefulSet', 'db', imagePatch(secondImage)))
      await run.step('gone', () => run.gone())
      await run.step('back to the first', () => run.patch('StatefulSet', 'db', imagePatch(firstImage)))
      await run.step('the broken one deleted', () => run.remove('Pod', 'db-1'))
      await updated(run, 1)
    },
  },
  {
    name: 'on-delete',
    kinds,
    async play(run) {
      await created(run, { replicas: 2, updateStrategy: { type: 'OnDelete' } }, 2)
      await run.step('new image', () => run.patch('StatefulSet', 'db', imagePatch(secondImage)))
      await run.step('one deleted', () => run.remove('Pod', 'db-0'))
      await updated(run, 1)
      await run.step('the other deleted', () => run.remove('Pod', 'db-1'))
      await updated(run, 1)
    },
  },
  {
    name: 'claims-kept',
    kinds: [...kinds, 'PersistentVolumeClaim'],
    async play(run) {
      await run.step('created', () =>
        run.create(
          'StatefulSet',
          workload('db', { serviceName: 'db', replicas: 2, podManagementPolicy: 'Parallel', volumeClaimTemplates: [claim] }),
        ),
      )
      await run.step('to one', () => run.patch('StatefulSet', 'db', { spec: { replicas: 1 } }))
      await run.step('deleted', () => run.remove('StatefulSet', 'db', { propagationPolicy: 'Background' }))
    },
  },
  {
    name: 'claims-deleted',
    kinds: [...kinds, 'PersistentVolumeClaim'],
    async play(run) {
      const retention = { whenDeleted: 'Delete', whenScaled: 'Delete' }
      await run.step('created', () =>
        run.create(
          'StatefulSet',
          workload('db', {
            serviceName: 'db',
            replicas: 2,
            podManagementPolicy: 'Parallel',
            volumeClaimTemplates: [claim],
            persistentVolumeClaimRetentionPolicy: retention,
          }),
        ),
      )
      await run.step('to one', () => run.patch('StatefulSet', 'db', { spec: { replicas: 1 } }))
      await run.step('gone', () => run.gone())
      await run.step('kept when scaled', () =>
        run.patch('StatefulSet', 'db', { spec: { persistentVolumeClaimRetentionPolicy: { whenScaled: 'Retain' } } }),
      )
      await run.step('kept when deleted', () =>
        run.patch('StatefulSet', 'db', { spec: { persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain' } } }),
      )
      await run.step('deleted', () => run.remove('StatefulSet', 'db', { propagationPolicy: 'Background' }))
    },
  },
  {
    name: 'failed-pod',
    kinds,
    async play(run) {
      await created(run, { replicas: 2, ordinals: { start: 3 } }, 2)
      await run.step('failed', () => run.finish('Failed', podNamed('db-3')))
      await run.step('gone', () => run.gone())
      await run.step('succeeded', () => run.finish('Succeeded', podNamed('db-4')))
      await run.step('gone again', () => run.gone())
    },
  },
  {
    name: 'in-order-when-unready',
    kinds,
    async play(run) {
      await created(run, { replicas: 3 }, 3)
      await run.step('one unready', () => run.unready(podNamed('db-1')))
      await run.step('up', () => run.patch('StatefulSet', 'db', { spec: { replicas: 4 } }))
      await run.step('down', () => run.patch('StatefulSet', 'db', { spec: { replicas: 1 } }))
      await run.step('ready', () => run.ready())
      await run.step('gone', () => run.gone())
    },
  },
  {
    name: 'settled-before-next',
    kinds,
    async play(run) {
      await run.step('created', () =>
        run.create('StatefulSet', workload('db', { serviceName: 'db', replicas: 2, minReadySeconds: 8 })),
      )
      await run.step('ready', () => run.ready())
      await run.step('after minReadySeconds', () => run.wait(9_000))
    },
  },
  {
    name: 'history-of-sets',
    kinds,
    async play(run) {
      await created(run, { replicas: 1, revisionHistoryLimit: 1 }, 1)
      for (const image of [secondImage, thirdImage, 'registry.example/app:4', 'registry.example/app:5']) {
        await run.step(`image ${image}`, () => run.patch('StatefulSet', 'db', imagePatch(image)))
        await run.step(`gone ${image}`, () => run.gone())
        await run.step(`ready ${image}`, () => run.ready(withImage(image)))
      }
    },
  },
]
