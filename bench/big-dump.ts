// A dump of a big cluster, as `ballast snapshot -o x.json` writes one: nodes with their images, Deployments with ReplicaSets whose template
// their pods have, pods as an API server keeps them. All of it is healthy: a twin that loads it has nothing to do.
import { closeSync, openSync, writeSync } from 'node:fs'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type ClusterSize, namespaceOf, nodeOf, podOf } from './big-cluster.ts'

/** 5,000 nodes, and 150,000 pods of 5,000 Deployments. */
export const biggestCluster: ClusterSize = { nodes: 5_000, workloads: 5_000, replicas: 30 }

const createdAt = '2026-03-02T04:00:00Z'
const hash = '6d9f7c8b5d'
const pieceLength = 4 * 1024 * 1024

/** Every object; pods last. */
export function* dumpedObjects(size: ClusterSize): Generator<object> {
  const namespaces = new Set(Array.from({ length: size.workloads }, (_, workload) => namespaceOf(workload)))
  for (const name of namespaces)
    yield { apiVersion: 'v1', kind: 'Namespace', metadata: { name, uid: `ns-${name}`, creationTimestamp: createdAt } }
  for (const namespace of namespaces)
    yield {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default', namespace, uid: `sa-${namespace}`, creationTimestamp: createdAt },
    }
  for (let node = 0; node < size.nodes; node++) yield fullNode(node)
  for (let workload = 0; workload < size.workloads; workload++) {
    yield workloadObject('Deployment', size, workload)
    yield workloadObject('ReplicaSet', size, workload)
  }
  for (let workload = 0; workload < size.workloads; workload++)
    for (let replica = 0; replica < size.replicas; replica++) yield podOf(size, workload, replica)
}

/** Writes the dump; yields its size in bytes. */
export function writeDump(file: string, size: ClusterSize): number {
  const descriptor = openSync(file, 'w')
  try {
    let written = writeSync(descriptor, '{"apiVersion":"v1","kind":"List","metadata":{},"items":[')
    let pieces: string[] = []
    let length = 0
    let separator = '\n'
    for (const object of dumpedObjects(size)) {
      const text = separator + JSON.stringify(object)
      separator = ',\n'
      pieces.push(text)
      length += text.length
      if (length < pieceLength) continue
      written += writeSync(descriptor, pieces.join(''))
      pieces = []
      length = 0
    }
    return written + writeSync(descriptor, `${pieces.join('')}\n]}\n`)
  } finally {
    closeSync(descriptor)
  }
}

/** A node of 6 KB: with what a kubelet reports of itself. */
export function fullNode(number: number): KubeObject {
  const node = nodeOf(number)
  const conditions = ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].map(type => ({
    type,
    status: type === 'Ready' ? 'True' : 'False',
    reason: type === 'Ready' ? 'KubeletReady' : `KubeletHasNo${type}`,
    message: type === 'Ready' ? 'kubelet is posting ready status' : `kubelet has no ${type}`,
    lastHeartbeatTime: createdAt,
    lastTransitionTime: createdAt,
  }))
  const images = Array.from({ length: 20 }, (_, image) => ({
    names: [`registry.example/app-${image}/main@sha256:${'4c1d'.repeat(16)}`, `registry.example/app-${image}/main:1.4.2`],
    sizeBytes: 50_000_000 + image * 1_234_567,
  }))
  return {
    ...node,
    metadata: {
      ...node.metadata,
      creationTimestamp: createdAt,
      annotations: { 'node.alpha.kubernetes.io/ttl': '0', 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
    },
    status: {
      ...node.status,
      conditions,
      images,
      addresses: [
        { type: 'InternalIP', address: `10.${number >> 8}.${number & 255}.1` },
        { type: 'Hostname', address: node.metadata.name },
      ],
      nodeInfo: {
        architecture: 'amd64',
        operatingSystem: 'linux',
        kubeletVersion: 'v1.36.0',
        kernelVersion: '6.12.8',
        osImage: 'Talos (v1.11.0)',
        containerRuntimeVersion: 'containerd://2.1.4',
        bootID: `boot-${number}`,
        machineID: `machine-${number}`,
        systemUUID: `system-${number}`,
        kubeProxyVersion: '',
      },
    },
  }
}

function workloadObject(kind: 'Deployment' | 'ReplicaSet', size: ClusterSize, workload: number): object {
  const app = `app-${workload}`
  const isSet = kind === 'ReplicaSet'
  const pod = podOf(size, workload, 0)
  const { 'pod-template-hash': _hash, ...labels } = pod.metadata.labels ?? {}
  const { nodeName: _node, volumes: _volumes, containers, ...spec } = pod.spec
  const withHash = isSet ? { 'pod-template-hash': hash } : {}
  const owner = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    name: app,
    uid: `d-${app}`,
    controller: true,
    blockOwnerDeletion: true,
  }
  const count = size.replicas
  const template = {
    metadata: { labels: { ...labels, ...withHash }, annotations: pod.metadata.annotations },
    spec: {
      ...spec,
      // The volume of the token is the admission's.
      volumes: [{ name: 'config', configMap: { name: app } }],
      containers: containers.map(container => ({
        ...container,
        volumeMounts: [{ name: 'config', mountPath: '/etc/app', readOnly: true }],
      })),
    },
  }
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: {
      name: isSet ? `${app}-${hash}` : app,
      namespace: namespaceOf(workload),
      uid: isSet ? `rs-${app}` : `d-${app}`,
      creationTimestamp: createdAt,
      generation: 1,
      labels: { app, ...withHash },
      annotations: {
        'deployment.kubernetes.io/revision': '1',
        ...(isSet
          ? {
              'deployment.kubernetes.io/desired-replicas': String(count),
              'deployment.kubernetes.io/max-replicas': String(Math.ceil(count * 1.25)),
            }
          : {}),
      },
      ...(isSet ? { ownerReferences: [owner] } : {}),
    },
    spec: { replicas: count, selector: { matchLabels: { app, ...withHash } }, template },
    status: {
      observedGeneration: 1,
      replicas: count,
      readyReplicas: count,
      availableReplicas: count,
      ...(isSet ? { fullyLabeledReplicas: count } : { updatedReplicas: count, conditions: deploymentConditions(app) }),
    },
  }
}

function deploymentConditions(app: string): readonly object[] {
  return [
    { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', message: 'Deployment has minimum availability.' },
    {
      type: 'Progressing',
      status: 'True',
      reason: 'NewReplicaSetAvailable',
      message: `ReplicaSet "${app}-${hash}" has successfully progressed.`,
    },
  ].map(condition => ({ ...condition, lastUpdateTime: createdAt, lastTransitionTime: createdAt }))
}
