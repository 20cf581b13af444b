// Records what Helm makes of upstream's chart in `test/fixtures/nfs/chart-renders.json`, by the defaults, the seed's values and others that users set:
// `node test/real/nfs/record-chart.ts`.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { canonical, documentsOf } from '../../rendered-chart.ts'
import { helmChart } from '../helm/helm.ts'
import { upstreamVersion } from '../upstreams/build.ts'
import { peerChart } from '../upstreams/peer-archives.ts'
import { withoutDescriptions } from './claims-site.ts'

/** The seed's, and the newest. */
const versions = ['4.13.0', '4.13.4'] as const
const nfsSlow = {
  parameters: { server: 'candlekeep', share: '/kubernetes' },
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'Immediate',
  mountOptions: ['nfsvers=4.1', 'nconnect=16'],
}

/** By name of the case: values that are set. */
const chartCases: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  defaults: {},
  seed: { storageClass: { create: true, name: 'nfs-slow', ...nfsSlow } },
  'several classes': {
    storageClasses: [
      { name: 'nfs-slow', ...nfsSlow },
      { name: 'nfs-kept', ...nfsSlow, reclaimPolicy: 'Retain', allowVolumeExpansion: false, annotations: { note: 'kept' } },
    ],
  },
  snapshots: {
    externalSnapshotter: { enabled: true, deletionPolicy: 'Retain' },
    volumeSnapshotClass: { create: true, name: 'archives', deletionPolicy: 'Retain' },
  },
  'another distribution': {
    kubeletDir: '/var/lib/k0s/kubelet',
    driver: { name: 'nfs2.csi.k8s.io', mountPermissions: 511 },
    feature: { enableInlineVolume: true, enableFSGroupPolicy: false, propagateHostMountOptions: true },
    controller: {
      name: 'nfs-controller',
      replicas: 2,
      strategyType: 'RollingUpdate',
      runOnControlPlane: true,
      enableSnapshotter: false,
      useTarCommandInSnapshot: true,
      enableSnapshotCompression: false,
      workingMountDir: '/work',
      defaultOnDeletePolicy: 'archive',
      livenessProbe: { healthPort: 30_652 },
      logLevel: 2,
      nodeSelector: { disk: 'fast' },
    },
    node: { name: 'nfs-node', maxUnavailable: 3, livenessProbe: { healthPort: 30_653 }, logLevel: 2 },
    nodeDriverRegistrar: { timeout: 30, healthPort: 30_809, livenessProbe: { enabled: false } },
    customLabels: { team: 'home' },
    imagePullSecrets: [{ name: 'registry' }],
  },
}

if (import.meta.main) {
  const newest = await peerChart('csi-driver-nfs')
  using helm = await helmChart(new Map())
  const renders: Record<string, unknown> = {}
  for (const version of versions) {
    // The archive has the charts of all versions beside each other.
    const chart = join(newest, '..', '..', `v${version}`, 'csi-driver-nfs')
    for (const [title, values] of Object.entries(chartCases)) {
      const given = helm.write(`${title}.json`, JSON.stringify(values))
      const text = await helm.want(['template', 'csi-driver-nfs', chart, '--namespace', 'csi-nfs', '-f', given])
      renders[`${version}: ${title}`] = withoutDescriptions(canonical(documentsOf(text)))
    }
  }
  const about = { by: upstreamVersion('helm'), command: 'node test/real/nfs/record-chart.ts', values: chartCases }
  const file = join(import.meta.dirname, '..', '..', 'fixtures', 'nfs', 'chart-renders.json')
  writeFileSync(file, `${JSON.stringify({ ...about, renders }, null, 1)}\n`)
  console.log(
    Object.entries(renders)
      .map(([name, objects]) => `${name}: ${Object.keys(objects as object).length} objects`)
      .join('\n'),
  )
}
