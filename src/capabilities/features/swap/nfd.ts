// node-feature-discovery, whose place the capability `features` takes: its workers publish what its master decides by, and so do ours.

import { imagesOf } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { none, type Upstream } from '#upstreams/upstream.ts'
import { nfdGroup, nodeFeatures, nodeNameLabel, workerVersionAnnotation } from '../names.ts'
import { compareNodes } from './nfd-compare.ts'
import { convertNfd, nfdRows, nfdVersions } from './nfd-rows.ts'
import { convertNfdWorkload, programOf } from './nfd-workload.ts'

const chart = 'node-feature-discovery'

export const nfd: Upstream = {
  ...none,
  name: 'node-feature-discovery',
  capability: 'features',
  workloads: [/^(.*-)?(nfd|node-feature-discovery)-(master|worker|gc|topology-updater)$/],
  names: [chart, 'nfd'],
  images: ['nfd/node-feature-discovery'],
  leases: ['nfd-master.nfd.kubernetes.io'],
  groups: [nfdGroup],
  nodeLabels: [/^feature\.node\.kubernetes\.io\//],
  beside: () => 'both write the same to nodes; where both publish, rules that count devices count each twice',
  replaced: {
    id: 'nfd',
    chart,
    versions: nfdVersions,
    knownVersions: /^v?0\.(17|18|19)\.\d+$/,
    rows: nfdRows,
    convert: convertNfd,
    convertWorkload: convertNfdWorkload,
    plainKinds: ['Deployment'],
    swap: {
      part: {
        kind: 'publishing',
        component: 'agent',
        role: 'features',
        published: nodeFeatures,
        isWorker: workload => programIs(workload, 'worker'),
        describes,
        compare: compareNodes,
        uninstallHarm: 'prunes: its hook takes all labels, annotations, taints and extended resources from every node',
      },
      does: 'labels nodes',
      isCompanion: workload => !programIs(workload, 'master'),
      isPlain,
      hint: () => 'its CustomResourceDefinitions and NodeFeatureRules stay; helm uninstall would prune all nodes by its hook',
      reinstall: `helm install nfd nfd/${chart} -n ${chart} --set postDeleteCleanup=false --set master.replicaCount=0 --set gc.replicaCount=0 --set-string 'worker.nodeSelector.ballast\\.dev/asleep=true'`,
    },
  },
}

/** By its words, else by its name: plain manifests of old had other words. */
function programIs(workload: KubeObject, program: 'master' | 'worker'): boolean {
  const found = programOf(workload)
  if (found !== undefined) return found === `nfd-${program}`
  return imagesOf(workload).length > 0 && workload.metadata.name.endsWith(`-${program}`)
}

/** A worker publishes one object a node, by its name. */
function describes({ metadata }: KubeObject, namespace: string): string | undefined {
  const node = metadata.labels?.[nodeNameLabel]
  const isOfWorker = metadata.annotations?.[workerVersionAnnotation] !== undefined
  return isOfWorker && metadata.namespace === namespace && metadata.name === node ? node : undefined
}

/** Manifests name all of it after its programs. */
function isPlain({ metadata }: KubeObject, workload: KubeObject): boolean {
  if (metadata.namespace !== undefined && metadata.namespace !== workload.metadata.namespace) return false
  return /^nfd-(master|worker|gc|topology-updater)(-|$)/.test(metadata.name)
}
