// A cluster of 5,000 nodes and 150,000 pods of 500 Deployments, each object as a watch brings it: parsed from JSON, with the fields an
// API server adds. The same objects each time.

import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'

export interface ClusterSize {
  readonly nodes: number
  readonly workloads: number
  /** Pods of each workload. */
  readonly replicas: number
}

/** What the figures are measured on. */
export const bigCluster: ClusterSize = { nodes: 5_000, workloads: 500, replicas: 300 }

const startedAt = '2026-03-02T04:00:00Z'
const conditionTypes = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled']

/** The objects by their plural names, in the order in which a view asks for them. */
export function* objectsOf(size: ClusterSize): Generator<readonly [GroupVersionResource['resource'], KubeObject]> {
  for (let workload = 0; workload < size.workloads; workload++)
    for (let replica = 0; replica < size.replicas; replica++) yield ['pods', podOf(size, workload, replica)]
  for (let node = 0; node < size.nodes; node++) yield ['nodes', nodeOf(node)]
  for (let namespace = 0; namespace < size.workloads / 10; namespace++) {
    const name = `team-${namespace}`
    yield ['namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name, uid: `ns-${name}`, resourceVersion: '1' } }]
  }
  for (let workload = 0; workload < size.workloads; workload++) {
    yield ['deployments', controller('Deployment', workload, size.replicas)]
    yield ['replicasets', controller('ReplicaSet', workload, size.replicas)]
    yield ['poddisruptionbudgets', budget(workload, size.replicas)]
  }
}

export function namespaceOf(workload: number): string {
  return `team-${Math.floor(workload / 10)}`
}

export function podName(workload: number, replica: number): string {
  return `app-${workload}-6d9f7c8b5d-${replica.toString(36).padStart(5, '0')}`
}

/** A running pod of 7 KB; `version` is its resourceVersion, `isReady` what its conditions say. */
export function podOf(size: ClusterSize, workload: number, replica: number, version = 1, isReady = true): Pod {
  const app = `app-${workload}`
  const number = workload * size.replicas + replica
  const nodeName = `node-${number % size.nodes}`
  const status = isReady ? 'True' : 'False'
  const labels = { app, 'pod-template-hash': '6d9f7c8b5d', 'app.kubernetes.io/name': app, 'app.kubernetes.io/part-of': 'shop' }
  const mounts = [
    { name: 'config', mountPath: '/etc/app', readOnly: true },
    {
      name: `kube-api-access-${number.toString(36)}`,
      mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
      readOnly: true,
    },
  ]
  return asParsed<Pod>({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: podName(workload, replica),
      generateName: `${app}-6d9f7c8b5d-`,
      namespace: namespaceOf(workload),
      uid: podUid(workload, replica),
      resourceVersion: String(version),
      creationTimestamp: startedAt,
      labels,
      annotations: { 'checksum/config': 'd2a1'.repeat(16), 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9102' },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: `${app}-6d9f7c8b5d`,
          uid: `rs-${app}`,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
      managedFields: ['kube-controller-manager', 'kubelet'].map(manager => ({
        manager,
        operation: 'Update',
        apiVersion: 'v1',
        time: startedAt,
        fieldsType: 'FieldsV1',
        fieldsV1: Object.fromEntries(
          [...conditionTypes, ...Object.keys(labels)].map(name => [
            `k:{"type":"${name}"}`,
            { '.': {}, 'f:status': {}, 'f:type': {} },
          ]),
        ),
      })),
    },
    spec: {
      nodeName,
      serviceAccountName: 'default',
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      schedulerName: 'default-scheduler',
      terminationGracePeriodSeconds: 30,
      priority: 0,
      enableServiceLinks: true,
      preemptionPolicy: 'PreemptLowerPriority',
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: ['main', 'proxy'].map(name => ({
        name,
        image: `registry.example/${app}/${name}:1.4.2`,
        imagePullPolicy: 'IfNotPresent',
        ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
        env: [{ name: 'POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } }],
        resources: { requests: { cpu: `${50 + (workload % 10) * 25}m`, memory: '128Mi' }, limits: { memory: '256Mi' } },
        readinessProbe: { httpGet: { path: '/ready', port: 8080, scheme: 'HTTP' }, periodSeconds: 10, failureThreshold: 3 },
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        volumeMounts: mounts,
      })),
      tolerations: ['not-ready', 'unreachable'].map(key => ({
        key: `node.kubernetes.io/${key}`,
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: 300,
      })),
      volumes: [
        { name: 'config', configMap: { name: app } },
        {
          name: `kube-api-access-${number.toString(36)}`,
          projected: { defaultMode: 420, sources: [{ serviceAccountToken: { expirationSeconds: 3607, path: 'token' } }] },
        },
      ],
    },
    status: {
      phase: 'Running',
      qosClass: 'Burstable',
      hostIP: `10.${number % 250}.0.1`,
      podIP: `10.64.${number % 256}.${Math.floor(number / 256) % 256}`,
      podIPs: [{ ip: `10.64.${number % 256}.${Math.floor(number / 256) % 256}` }],
      startTime: startedAt,
      conditions: conditionTypes.map(type => ({
        type,
        status: type === 'Ready' || type === 'ContainersReady' ? status : 'True',
        lastProbeTime: null,
        lastTransitionTime: startedAt,
      })),
      containerStatuses: ['main', 'proxy'].map(name => ({
        name,
        image: `registry.example/${app}/${name}:1.4.2`,
        imageID: `registry.example/${app}/${name}@sha256:${'9b1e'.repeat(16)}`,
        containerID: `containerd://${number.toString(16).padStart(64, name === 'main' ? 'a' : 'b')}`,
        ready: isReady,
        started: true,
        restartCount: 0,
        lastState: {},
        state: { running: { startedAt } },
        volumeMounts: mounts.map(mount => ({ ...mount, recursiveReadOnly: 'Disabled' })),
      })),
    },
  })
}

export function podUid(workload: number, replica: number): string {
  return `pod-${workload}-${replica}`
}

export function nodeOf(node: number, version = 1): Node {
  const name = `node-${node}`
  const amounts = { cpu: '32', memory: '128Gi', pods: '110', 'ephemeral-storage': '200Gi' }
  return asParsed<Node>({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      uid: name,
      resourceVersion: String(version),
      labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'topology.kubernetes.io/zone': `zone-${node % 3}` },
    },
    spec: { podCIDR: `10.${node % 250}.0.0/24` },
    status: {
      allocatable: amounts,
      capacity: amounts,
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: startedAt }],
    },
  })
}

export function deploymentUid(workload: number): string {
  return `d-app-${workload}`
}

function controller(kind: 'Deployment' | 'ReplicaSet', workload: number, replicas: number): KubeObject {
  const app = `app-${workload}`
  const isSet = kind === 'ReplicaSet'
  const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: app, uid: deploymentUid(workload), controller: true }
  return asParsed<KubeObject>({
    apiVersion: 'apps/v1',
    kind,
    metadata: {
      name: isSet ? `${app}-6d9f7c8b5d` : app,
      namespace: namespaceOf(workload),
      uid: isSet ? `rs-${app}` : deploymentUid(workload),
      resourceVersion: '1',
      labels: { app, 'scaling.talos.io/managed-by': 'descheduler' },
      ...(isSet ? { ownerReferences: [owner] } : {}),
    },
    spec: {
      replicas,
      selector: { matchLabels: { app } },
      template: {
        metadata: { labels: { app } },
        spec: { containers: [{ name: 'main', image: `registry.example/${app}/main:1.4.2` }] },
      },
    },
    status: { replicas, readyReplicas: replicas, availableReplicas: replicas },
  })
}

function budget(workload: number, replicas: number): KubeObject {
  const app = `app-${workload}`
  return asParsed<KubeObject>({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: app, namespace: namespaceOf(workload), uid: `pdb-${app}`, resourceVersion: '1', generation: 1 },
    spec: { maxUnavailable: '10%', selector: { matchLabels: { app } } },
    status: {
      observedGeneration: 1,
      expectedPods: replicas,
      currentHealthy: replicas,
      desiredHealthy: Math.floor(replicas * 0.9),
      disruptionsAllowed: Math.ceil(replicas * 0.1),
    },
  })
}

/** As the wire brings it: strings and parts of its own. What was written by this file's shapes reads as them. */
function asParsed<T extends KubeObject>(object: T): T {
  return JSON.parse(JSON.stringify(object)) as T
}
