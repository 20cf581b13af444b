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
  {
    name: 'volume-of-gone-claim',
    kinds,
    async play(run) {
      const claimRef = { namespace: run.namespace, name: 'gone', uid: '00000000-0000-4000-8000-000000000001' }
      const csi = (name: string) => ({ hostPath: null, csi: { driver: 'disks.example.com', volumeHandle: name } })
      const goes = { claimRef, persistentVolumeReclaimPolicy: 'Delete' }
      await run.step('volumes whose claim is not there', async () => {
        await volume(run, 'kept', { claimRef, persistentVolumeReclaimPolicy: 'Retain' })
        await volume(run, 'driver', { ...goes, ...csi('driver'), capacity: { storage: '500Mi' } })
        await volume(run, 'directory', goes)
        await volume(run, 'local', {
          ...goes,
          hostPath: null,
          local: { path: '/disk' },
          nodeAffinity: {
            required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'disk', operator: 'Exists' }] }] },
          },
        })
        await volume(run, 'nfs', { ...goes, hostPath: null, nfs: { server: 'nas.example.com', path: '/x' } })
        await volume(run, 'recycled', { ...goes, ...csi('recycled'), persistentVolumeReclaimPolicy: 'Recycle' })
      })
      await run.step('another claim of its name', () => claim(run, 'gone'))
      await run.step('reference taken away by hand', () =>
        run.patch('PersistentVolume', `${run.namespace}-driver`, { spec: { claimRef: null } }),
      )
      await run.step('policy changed', () =>
        run.patch('PersistentVolume', `${run.namespace}-directory`, { spec: { persistentVolumeReclaimPolicy: 'Retain' } }),
      )
      await run.step('uid taken away by hand', async () => {
        await run.patch('PersistentVolume', `${run.namespace}-kept`, { spec: { claimRef: { uid: null } } })
        await run.wait(16_000)
      })
    },
  },
  {
    name: 'volume-goes-first',
    kinds,
    async play(run) {
      await run.step('volume and claim', async () => {
        await volume(run, 'mine', { persistentVolumeReclaimPolicy: 'Retain' })
        await claim(run, 'data', { volumeName: `${run.namespace}-mine` })
      })
      await run.step('volume deleted', () => run.remove('PersistentVolume', `${run.namespace}-mine`))
      await run.step('claim deleted', () => run.remove('PersistentVolumeClaim', 'data'))
    },
  },
  {
    name: 'volume-lost',
    kinds,
    async play(run) {
      const mine = `${run.namespace}-mine`
      await run.step('volume and claim', async () => {
        await volume(run, 'mine', {})
        await claim(run, 'data', { volumeName: mine })
      })
      await run.step('volume gone', async () => {
        await run.remove('PersistentVolume', mine)
        await run.patch('PersistentVolume', mine, { metadata: { finalizers: null } })
      })
      await run.step('volume again', async () => {
        await volume(run, 'mine', {})
        await run.wait(16_000)
      })
      await run.step('volume given to another', async () => {
        const claimRef = { name: 'other', uid: '00000000-0000-4000-8000-000000000002' }
        await run.patch('PersistentVolume', mine, { spec: { claimRef } })
        await run.wait(16_000)
      })
    },
  },
  {
    name: 'volume-misnamed',
    kinds,
    async play(run) {
      const named = (name: string, spec: Loose = {}) => claim(run, name, { volumeName: `${run.namespace}-mine`, ...spec })
      await run.step('volume', () => volume(run, 'mine', {}))
      await run.step('claim for more', () => named('more', { resources: { requests: { storage: '2Gi' } } }))
      await run.step('claim of another class', () => named('classed', { storageClassName: 'other' }))
      await run.step('claim for blocks', () => named('blocks', { volumeMode: 'Block' }))
      await run.step('claim for many', () => named('many', { accessModes: ['ReadWriteMany'] }))
      await run.step('claim that fits', () => named('first'))
      await run.step('claim that is late', () => named('late'))
    },
  },
  {
    name: 'volume-bound-elsewhere',
    kinds,
    async play(run) {
      await run.step('volume and claim', async () => {
        await volume(run, 'mine', {})
        await claim(run, 'data', { volumeName: `${run.namespace}-mine` })
      })
      const { uid } = ((await run.list('PersistentVolumeClaim'))[0]?.['metadata'] ?? {}) as { readonly uid?: string }
      const other = (name: string, annotations: Loose, spec: Loose = {}) =>
        run.create('PersistentVolume', {
          metadata: { name: `${run.namespace}-${name}`, annotations },
          spec: {
            accessModes: ['ReadWriteOnce'],
            capacity: { storage: '1Gi' },
            csi: { driver: 'disks.example.com', volumeHandle: name },
            storageClassName: run.namespace,
            claimRef: { namespace: run.namespace, name: 'data', uid },
            ...spec,
          },
        })
      await run.step('further volumes of the claim', async () => {
        await other('reserved', {})
        await other('bound', { 'pv.kubernetes.io/bound-by-controller': 'yes' })
        const provisioned = { 'pv.kubernetes.io/provisioned-by': 'disks.example.com' }
        await other('made', provisioned, { persistentVolumeReclaimPolicy: 'Delete' })
        await other('kept', provisioned, { persistentVolumeReclaimPolicy: 'Retain' })
      })
      await run.step('claim deleted', () => run.remove('PersistentVolumeClaim', 'data'))
    },
  },
  {
    name: 'volume-of-other-mode',
    kinds,
    async play(run) {
      await run.step('claim for blocks', () => claim(run, 'data', { volumeMode: 'Block' }))
      const { uid } = ((await run.list('PersistentVolumeClaim'))[0]?.['metadata'] ?? {}) as { readonly uid?: string }
      await run.step('volume of files for it', () =>
        volume(run, 'mine', { claimRef: { namespace: run.namespace, name: 'data', uid } }),
      )
    },
  },
  {
    name: 'volume-waits-for-scheduler',
    kinds,
    async play(run) {
      await run.create('StorageClass', {
        metadata: { name: run.namespace },
        provisioner: 'kubernetes.io/no-provisioner',
        volumeBindingMode: 'WaitForFirstConsumer',
      })
      await run.step('pod that fits nowhere', async () => {
        await run.create('Pod', {
          metadata: { name: 'user' },
          spec: {
            ...podSpec({
              containers: [{ name: 'main', image: firstImage }],
              volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
            }),
            nodeSelector: { nowhere: 'yes' },
          },
        })
        await claim(run, 'data')
      })
      await run.step('reserved volume', async () => {
        await volume(run, 'mine', { claimRef: { namespace: run.namespace, name: 'data' } })
        await run.wait(16_000)
      })
    },
  },
]
