// `ballast migrate plan|apply nfs-subdir-external-provisioner` on a twin: each step is looked at, none is carried out, and what is to be done is said.

import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { startTwin } from '#twin/twin.ts'
import type { StepResult } from '../src/migration/run.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { carriedSwap, endOf, upstreamNamed } from './carried-swap.ts'
import { csiDriver } from './nfs-swap-objects.ts'

const { signal } = new AbortController()
const provisioner = 'cluster.local/nfs-subdir-external-provisioner'
const labels = { app: 'nfs-subdir-external-provisioner', chart: 'nfs-subdir-external-provisioner-4.0.18', release: 'nas' }

const deployment: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'nfs-subdir-external-provisioner', namespace: 'nas', labels },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: labels.app } },
    template: {
      metadata: { labels: { app: labels.app } },
      spec: {
        containers: [
          {
            name: 'nfs-subdir-external-provisioner',
            image: 'registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2',
            env: [
              { name: 'PROVISIONER_NAME', value: provisioner },
              { name: 'NFS_SERVER', value: 'candlekeep' },
              { name: 'NFS_PATH', value: '/kubernetes' },
            ],
          },
        ],
      },
    },
  },
}
const classBy = (name: string, parameters: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'nfs-client' },
  provisioner: name,
  parameters,
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'Immediate',
})
const volume: KubeObject = {
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'pvc-1', annotations: { 'pv.kubernetes.io/provisioned-by': provisioner } },
  spec: {
    accessModes: ['ReadWriteMany'],
    capacity: { storage: '1Gi' },
    storageClassName: 'nfs-client',
    nfs: { server: 'candlekeep', path: '/kubernetes/default-films-pvc-1' },
  },
}

test('each step waits for the person whose it is, and nothing of the cluster is written', async () => {
  const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'nas' } }
  const old = classBy(provisioner, { archiveOnDelete: 'false', pathPattern: '${.PVC.namespace}/${.PVC.name}' })
  const twin = await startTwin({
    clock,
    seed: 1,
    objects: [namespace, deployment, old, volume],
    components: { provisioner: false },
  })
  const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'ballast-test' })
  const reach = { api, clock, capabilities: enabledCapabilities, signal }
  const apply = async () => {
    const results: StepResult[] = []
    await endOf(
      carriedSwap(upstreamNamed('nfs-subdir-external-provisioner'), reach, {}, result => results.push(result)),
      clock,
    )
    return results.map(({ id, state, said }) => (state === 'done' ? id : `${id}: ${said}`))
  }
  const volumes = api.resource<KubeObject>(builtIn.persistentvolumes)
  const classes = api.resource<KubeObject>(builtIn.storageclasses)

  expect(await apply()).toEqual([
    'check',
    'convert',
    expect.stringMatching(/^switch: ours is not installed yet\. It is yours to do: ballast manifests/),
  ])
  await api.resource<KubeObject>(builtIn.csidrivers).create(csiDriver(), { signal })
  expect(await apply()).toEqual([
    'switch',
    expect.stringMatching(/^class: class nfs-client is of cluster\.local.*kubectl delete storageclass nfs-client/),
  ])
  await classes.delete('nfs-client', { signal })
  await classes.create(classBy('nfs.csi.k8s.io', { server: 'candlekeep', share: '/kubernetes' }), { signal })
  expect(await apply()).toEqual(['class', expect.stringMatching(/^volumes: 1 volumes are of it: pvc-1/)])
  await volumes.delete('pvc-1', { signal })
  expect(await apply()).toEqual([
    'volumes',
    expect.stringMatching(/^remove: Deployment nas\/nfs-subdir-external-provisioner is there.*kubectl -n nas delete deployment/),
  ])
  await twin.stop()
})
