// PersistentVolumes and their claims: bound, waiting, released.
import { firstImage, podSpec } from './manifests.ts'
import type { Loose, Scenario, ScenarioRun } from './scenario.ts'

const kinds = ['PersistentVolume', 'PersistentVolumeClaim'] as const

async function volume(run: ScenarioRun, name: string, spec: Loose): Promise<void> {
  await run.create('PersistentVolume', {
    metadata: { name: `${run.namespace}-${name}` },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      hostPath: { path: '/data' },
      storageClassName: run.namespace,
      ...spec,
    },
  })
}

async function claim(run: ScenarioRun, name: string, spec: Loose = {}): Promise<void> {
  await run.create('PersistentVolumeClaim', {
    metadata: { name },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      storageClassName: run.namespace,
      ...spec,
    },
  })
}

export const volumeScenarios: readonly Scenario[] = [
  {
    name: 'volume-smallest',
    kinds,
    async play(run) {
      await run.step('volumes', async () => {
        await volume(run, 'big', { capacity: { storage: '10Gi' } })
        await volume(run, 'fitting', { capacity: { storage: '2Gi' }, persistentVolumeReclaimPolicy: 'Retain' })
        await volume(run, 'small', { capacity: { storage: '500Mi' } })
        await volume(run, 'shared', { accessModes: ['ReadWriteMany'] })
      })
      await run.step('claim', () => claim(run, 'data'))
      await run.step('claim deleted', () => run.remove('PersistentVolumeClaim', 'data'))
      await run.step('claim for too much', () => claim(run, 'huge', { resources: { requests: { storage: '100Gi' } } }))
    },
  },
  {
    name: 'volume-named',
    kinds,
    async play(run) {
      await run.step('claim for a volume that is not there', () => claim(run, 'data', { volumeName: `${run.namespace}-mine` }))
      await run.step('volume', async () => {
        await volume(run, 'mine', {})
        // Claims that wait are looked at again every 15 seconds.
        await run.wait(16_000)
      })
    },
  },
  {
    name: 'volume-reserved',
    kinds,
    async play(run) {
      await run.step('volume for a claim', () => volume(run, 'mine', { claimRef: { namespace: run.namespace, name: 'data' } }))
      await run.step('claims', async () => {
        await claim(run, 'other')
        await claim(run, 'data')
      })
    },
  },
  {
    name: 'volume-waits-for-pod',
    kinds: [...kinds, 'Pod'],
    async play(run) {
      await run.create('StorageClass', {
        metadata: { name: run.namespace },
        provisioner: 'kubernetes.io/no-provisioner',
        volumeBindingMode: 'WaitForFirstConsumer',
      })
      await run.step('claim', () => claim(run, 'data'))
      await run.step('volume', () => volume(run, 'mine', {}))
      await run.step('pod', () =>
        run.create('Pod', {
          metadata: { name: 'user' },
          spec: podSpec({
            containers: [{ name: 'main', image: firstImage }],
            volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
          }),
        }),
      )
      await run.step('claim deleted while used', () => run.remove('PersistentVolumeClaim', 'data'))
      await run.step('pod deleted', () => run.remove('Pod', 'user', { gracePeriodSeconds: 0 }))
    },
  },
  {
    name: 'volume-of-nobody',
    kinds,
    async play(run) {
      await run.create('StorageClass', { metadata: { name: run.namespace }, provisioner: 'example.com/disks' })
      await run.step('claim for a provisioner', () => claim(run, 'data'))
      await run.step('claim of no class', () => claim(run, 'classless', { storageClassName: '' }))
      await run.step('claim of a class that is not there', () => claim(run, 'absent', { storageClassName: 'absent' }))
    },
  },
]
