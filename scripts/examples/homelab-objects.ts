// Kubernetes objects of a homelab from its tables: what `kubectl get -o yaml` of it would have written.
import { createHash } from 'node:crypto'
import { stringify } from 'yaml'
import { mover } from '#cluster/ownership.ts'
import type { KubeObject, OwnerReference } from '#kube/objects/objects.ts'
import { canonicalText, quantity } from '#kube/values/quantity.ts'
import type { ClaimRow, Homelab, NodeRow, WorkloadRow } from './homelab-rows.ts'

const toleratesControlPlane = { key: 'node-role.kubernetes.io/control-plane', operator: 'Exists', effect: 'NoSchedule' }
const daemonTolerations = ['disk-pressure', 'memory-pressure', 'pid-pressure', 'unschedulable'].map(name => ({
  key: `node.kubernetes.io/${name}`,
  operator: 'Exists',
  effect: 'NoSchedule',
}))
const lostNodeTolerations = (seconds?: number) =>
  ['not-ready', 'unreachable'].map(name => ({
    key: `node.kubernetes.io/${name}`,
    operator: 'Exists',
    effect: 'NoExecute',
    ...(seconds === undefined ? {} : { tolerationSeconds: seconds }),
  }))

/** The same uid for the same object on every run. */
function uid(kind: string, namespace: string, name: string): string {
  const hex = createHash('sha256').update(`${kind}/${namespace}/${name}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** A suffix as Kubernetes makes them: from letters and digits that spell no words. */
function suffix(text: string, length: number): string {
  const letters = 'bcdfghjklmnpqrstvwxz2456789'
  return [...createHash('sha256').update(text).digest()]
    .slice(0, length)
    .map(byte => letters.charAt(byte % letters.length))
    .join('')
}

/** A quantity as the API server prints it: `3072Mi` comes back as `3Gi`. */
const printed = (text: string) => canonicalText(quantity(text))

const labelsOf = (workload: WorkloadRow) => ({ 'app.kubernetes.io/name': workload.name })

function portsOf({ port, hostPort }: WorkloadRow) {
  if (port === undefined) return {}
  return { ports: [{ containerPort: port, ...(hostPort === undefined ? {} : { hostPort }), protocol: 'TCP' }] }
}

function probesOf({ readyPort }: WorkloadRow) {
  if (readyPort === undefined) return {}
  const often = {
    httpGet: { path: '/readyz', port: readyPort, scheme: 'HTTP' },
    timeoutSeconds: 1,
    periodSeconds: 3,
    successThreshold: 1,
  }
  return { startupProbe: { ...often, failureThreshold: 60 }, readinessProbe: { ...often, failureThreshold: 3 } }
}

/** A container that asks for nothing has no resources. */
function resourcesOf({ cpuMillicores, memoryMi, limits }: WorkloadRow) {
  const devices = limits === undefined ? {} : { limits }
  if (cpuMillicores === 0 && memoryMi === 0) return devices
  return { ...devices, requests: { cpu: printed(`${cpuMillicores}m`), memory: printed(`${memoryMi}Mi`), ...limits } }
}

function template(workload: WorkloadRow): Record<string, unknown> {
  const tolerations = [
    ...(workload.owner === 'core' && workload.toleratesControlPlane !== false ? [toleratesControlPlane] : []),
    ...(workload.kind === 'DaemonSet' && workload.toleratesControlPlane !== false ? [{ operator: 'Exists' }] : []),
  ]
  return {
    metadata: { labels: labelsOf(workload) },
    spec: {
      containers: [
        {
          name: workload.name,
          image: workload.image,
          imagePullPolicy: 'IfNotPresent',
          ...(workload.args === undefined ? {} : { args: workload.args }),
          ...portsOf(workload),
          ...(workload.secret === undefined ? {} : { envFrom: [{ secretRef: { name: workload.secret.name } }] }),
          ...probesOf(workload),
          resources: resourcesOf(workload),
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          ...(workload.volume === undefined ? {} : { volumeMounts: [{ name: 'data', mountPath: '/data' }] }),
        },
      ],
      dnsPolicy: 'ClusterFirst',
      restartPolicy: 'Always',
      schedulerName: 'default-scheduler',
      securityContext: {},
      terminationGracePeriodSeconds: 30,
      ...(workload.nodeSelector === undefined ? {} : { nodeSelector: workload.nodeSelector }),
      ...(tolerations.length === 0 ? {} : { tolerations }),
    },
  }
}

const controlledBy = (apiVersion: string, kind: string, name: string, id: string): OwnerReference => ({
  apiVersion,
  kind,
  name,
  uid: id,
  controller: true,
  blockOwnerDeletion: true,
})

const storageClassOf = (workload: WorkloadRow) => (workload.volume === 'local' ? 'local-path' : 'nfs-slow')

function asYaml(objects: readonly KubeObject[]): string {
  return objects.map(object => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n')
}

/** The files of one homelab. */
class HomelabFiles {
  readonly #lab: Homelab

  constructor(lab: Homelab) {
    this.#lab = lab
  }

  #condition(type: string, reason?: string) {
    return {
      type,
      status: 'True',
      lastTransitionTime: this.#lab.startedAt,
      ...(reason === undefined ? {} : { reason }),
    }
  }

  #ownerLabels(workload: WorkloadRow): Record<string, string> {
    const isSaid = this.#lab.saysOwners && workload.owner !== 'core'
    return isSaid ? { ...labelsOf(workload), 'scaling.talos.io/managed-by': workload.owner } : labelsOf(workload)
  }

  #metadata(kind: string, workload: WorkloadRow, more: Record<string, unknown> = {}) {
    return {
      name: workload.name,
      namespace: workload.namespace,
      uid: uid(kind, workload.namespace, workload.name),
      creationTimestamp: this.#lab.createdAt,
      ...more,
    }
  }

  #pod(
    workload: WorkloadRow,
    name: string,
    node: NodeRow,
    index: number,
    owner: OwnerReference,
    more: Record<string, unknown> = {},
  ): KubeObject {
    const { labels, annotations, ...rest } = more
    const spec = template(workload)['spec'] as Record<string, unknown>
    const ownTolerations = (spec['tolerations'] ?? []) as readonly unknown[]
    const tolerations =
      workload.kind === 'DaemonSet'
        ? [...ownTolerations, ...lostNodeTolerations(), ...daemonTolerations]
        : workload.kind === 'Static'
          ? [{ operator: 'Exists', effect: 'NoExecute' }]
          : [...ownTolerations, ...lostNodeTolerations(300)]
    const affinity =
      workload.kind === 'DaemonSet'
        ? {
            affinity: {
              nodeAffinity: {
                requiredDuringSchedulingIgnoredDuringExecution: {
                  nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node.name] }] }],
                },
              },
            },
          }
        : {}
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        namespace: workload.namespace,
        uid: uid('Pod', workload.namespace, name),
        creationTimestamp: this.#lab.startedAt,
        labels: { ...labelsOf(workload), ...(labels as Record<string, string> | undefined) },
        ...(annotations === undefined ? {} : { annotations: annotations as Record<string, string> }),
        ownerReferences: [owner],
      },
      spec: {
        ...spec,
        ...affinity,
        nodeName: node.name,
        enableServiceLinks: true,
        serviceAccountName: 'default',
        tolerations,
        priority: 0,
        ...rest,
      },
      status: {
        phase: 'Running',
        conditions: ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map(type =>
          this.#condition(type),
        ),
        containerStatuses: [
          {
            name: workload.name,
            image: workload.image,
            imageID: `${workload.image.split(':')[0]}@sha256:${createHash('sha256').update(workload.image).digest('hex')}`,
            containerID: `containerd://${createHash('sha256').update(`${workload.namespace}/${name}`).digest('hex')}`,
            ready: true,
            started: true,
            restartCount: 0,
            state: { running: { startedAt: this.#lab.startedAt } },
          },
        ],
        hostIP: node.address,
        podIP: workload.kind === 'Static' ? node.address : `10.244.${this.#lab.nodes.indexOf(node)}.${index + 10}`,
        qosClass: workload.cpuMillicores === 0 && workload.memoryMi === 0 ? 'BestEffort' : 'Burstable',
        startTime: this.#lab.startedAt,
      },
    }
  }

  #nodeNamed(name: string): NodeRow {
    const node = this.#lab.nodes.find(candidate => candidate.name === name)
    if (node === undefined) throw new Error(`table: no node ${name}`)
    return node
  }

  /** The Secret that a workload reads, as `kubectl get -o yaml` prints it. */
  #secretOf({ namespace, secret }: WorkloadRow): KubeObject[] {
    if (secret === undefined) return []
    const { name, values } = secret
    const data = Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')])
    return [
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name, namespace, uid: uid('Secret', namespace, name), creationTimestamp: this.#lab.startedAt },
        type: 'Opaque',
        data: Object.fromEntries(data),
      },
    ]
  }

  /** The objects of one workload: the workload itself, what stands between, its pods, claims and volumes. */
  #objectsOf(workload: WorkloadRow, nextIndex: (node: string) => number): KubeObject[] {
    const { namespace, name } = workload
    const node = this.#nodeNamed(workload.nodes[0] ?? '')
    const selector = { matchLabels: labelsOf(workload) }
    switch (workload.kind) {
      case 'Static': {
        const podName = `${name}-${node.name}`
        const owner = { ...controlledBy('v1', 'Node', node.name, uid('Node', '', node.name)) }
        const { blockOwnerDeletion: _unused, ...nodeOwner } = owner
        const hash = createHash('sha256').update(podName).digest('hex').slice(0, 32)
        return [
          this.#pod(workload, podName, node, nextIndex(node.name), nodeOwner, {
            annotations: {
              'kubernetes.io/config.hash': hash,
              'kubernetes.io/config.mirror': hash,
              'kubernetes.io/config.source': 'file',
            },
            priority: 2000001000,
            priorityClassName: 'system-node-critical',
            hostNetwork: true,
          }),
        ]
      }
      case 'DaemonSet': {
        const id = uid('DaemonSet', namespace, name)
        const count = workload.nodes.length
        const revision = suffix(`${namespace}/${name}`, 10)
        return [
          {
            apiVersion: 'apps/v1',
            kind: 'DaemonSet',
            metadata: this.#metadata('DaemonSet', workload, {
              generation: 1,
              labels: this.#ownerLabels(workload),
              annotations: { 'deprecated.daemonset.template.generation': '1' },
            }),
            spec: {
              selector,
              template: template(workload),
              revisionHistoryLimit: 10,
              updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
            },
            status: {
              currentNumberScheduled: count,
              desiredNumberScheduled: count,
              numberAvailable: count,
              numberMisscheduled: 0,
              numberReady: count,
              observedGeneration: 1,
              updatedNumberScheduled: count,
            },
          },
          ...workload.nodes
            .map(name => this.#nodeNamed(name))
            .map(on =>
              this.#pod(
                workload,
                `${name}-${suffix(`${namespace}/${name}/${on.name}`, 5)}`,
                on,
                nextIndex(on.name),
                controlledBy('apps/v1', 'DaemonSet', name, id),
                {
                  labels: { 'controller-revision-hash': revision, 'pod-template-generation': '1' },
                },
              ),
            ),
        ]
      }
      case 'StatefulSet': {
        const id = uid('StatefulSet', namespace, name)
        const revision = `${name}-${suffix(`${namespace}/${name}`, 10)}`
        const claimTemplates =
          workload.volume === undefined
            ? {}
            : {
                volumeClaimTemplates: [
                  {
                    apiVersion: 'v1',
                    kind: 'PersistentVolumeClaim',
                    metadata: { name: 'data' },
                    spec: {
                      accessModes: ['ReadWriteOnce'],
                      resources: { requests: { storage: '100Gi' } },
                      storageClassName: storageClassOf(workload),
                      volumeMode: 'Filesystem',
                    },
                    status: { phase: 'Pending' },
                  },
                ],
              }
        return [
          {
            apiVersion: 'apps/v1',
            kind: 'StatefulSet',
            metadata: this.#metadata('StatefulSet', workload, { generation: 1, labels: this.#ownerLabels(workload) }),
            spec: {
              replicas: workload.replicas,
              selector,
              serviceName: name,
              podManagementPolicy: 'OrderedReady',
              revisionHistoryLimit: 10,
              template: template(workload),
              updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
              persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
              ...claimTemplates,
            },
            status: {
              availableReplicas: workload.replicas,
              collisionCount: 0,
              currentReplicas: workload.replicas,
              currentRevision: revision,
              observedGeneration: 1,
              readyReplicas: workload.replicas,
              replicas: workload.replicas,
              updateRevision: revision,
              updatedReplicas: workload.replicas,
            },
          },
          ...Array.from({ length: workload.replicas }, (_, ordinal) => {
            const podName = `${name}-${ordinal}`
            return this.#pod(workload, podName, node, nextIndex(node.name), controlledBy('apps/v1', 'StatefulSet', name, id), {
              labels: {
                'apps.kubernetes.io/pod-index': String(ordinal),
                'controller-revision-hash': revision,
                'statefulset.kubernetes.io/pod-name': podName,
              },
              hostname: podName,
              subdomain: name,
              ...(workload.volume === undefined
                ? {}
                : { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: `data-${podName}` } }] }),
            })
          }),
          ...(workload.volume === undefined
            ? []
            : Array.from({ length: workload.replicas }, (_, ordinal) =>
                this.#volumeObjects(workload, `data-${name}-${ordinal}`, node),
              ).flat()),
        ]
      }
      case 'Deployment': {
        const id = uid('Deployment', namespace, name)
        const hash = suffix(`${namespace}/${name}`, 10)
        const setName = `${name}-${hash}`
        const setId = uid('ReplicaSet', namespace, setName)
        const base = template(workload) as { metadata: { labels: Record<string, string> }; spec: Record<string, unknown> }
        const hashed = { ...labelsOf(workload), 'pod-template-hash': hash }
        // The controller of Deployments writes them on the ReplicaSets, too.
        const annotations = {
          'deployment.kubernetes.io/revision': '1',
          ...(workload.secret === undefined ? {} : { 'reloader.stakater.com/auto': 'true' }),
          ...workload.annotations,
        }
        const counts = {
          availableReplicas: workload.replicas,
          observedGeneration: 1,
          readyReplicas: workload.replicas,
          replicas: workload.replicas,
        }
        return [
          {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            metadata: this.#metadata('Deployment', workload, {
              generation: 1,
              labels: this.#ownerLabels(workload),
              annotations,
            }),
            spec: {
              replicas: workload.replicas,
              selector,
              strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
              revisionHistoryLimit: 10,
              progressDeadlineSeconds: 600,
              template: base,
            },
            status: {
              ...counts,
              updatedReplicas: workload.replicas,
              conditions: [
                {
                  ...this.#condition('Available', 'MinimumReplicasAvailable'),
                  message: 'Deployment has minimum availability.',
                  lastUpdateTime: this.#lab.startedAt,
                },
                {
                  ...this.#condition('Progressing', 'NewReplicaSetAvailable'),
                  message: `ReplicaSet "${setName}" has successfully progressed.`,
                  lastUpdateTime: this.#lab.startedAt,
                },
              ],
            },
          },
          {
            apiVersion: 'apps/v1',
            kind: 'ReplicaSet',
            metadata: {
              name: setName,
              namespace,
              uid: setId,
              creationTimestamp: this.#lab.createdAt,
              generation: 1,
              labels: hashed,
              annotations: {
                'deployment.kubernetes.io/desired-replicas': String(workload.replicas),
                'deployment.kubernetes.io/max-replicas': String(workload.replicas + Math.ceil(workload.replicas / 4)),
                ...annotations,
              },
              ownerReferences: [controlledBy('apps/v1', 'Deployment', name, id)],
            },
            spec: {
              replicas: workload.replicas,
              selector: { matchLabels: hashed },
              template: { ...base, metadata: { labels: hashed } },
            },
            status: { ...counts, fullyLabeledReplicas: workload.replicas },
          },
          ...Array.from({ length: workload.replicas }, (_, replica) =>
            this.#pod(
              workload,
              `${setName}-${suffix(`${setName}/${replica}`, 5)}`,
              node,
              nextIndex(node.name),
              controlledBy('apps/v1', 'ReplicaSet', setName, setId),
              {
                labels: { 'pod-template-hash': hash },
              },
            ),
          ),
        ]
      }
    }
  }

  #volumeObjects(workload: WorkloadRow, claim: string, node: NodeRow): KubeObject[] {
    const claimId = uid('PersistentVolumeClaim', workload.namespace, claim)
    const volume = `pvc-${claimId}`
    const source =
      workload.volume === 'local'
        ? {
            local: { path: `/var/local-path-provisioner/${volume}` },
            nodeAffinity: {
              required: {
                nodeSelectorTerms: [
                  { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node.name] }] },
                ],
              },
            },
          }
        : { csi: { driver: 'nfs.csi.k8s.io', volumeHandle: `candlekeep#kubernetes#${volume}##` } }
    const shared = { accessModes: ['ReadWriteOnce'], storageClassName: storageClassOf(workload), volumeMode: 'Filesystem' }
    return [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: volume, uid: uid('PersistentVolume', '', volume), creationTimestamp: this.#lab.createdAt },
        spec: {
          ...shared,
          capacity: { storage: '100Gi' },
          claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: workload.namespace, name: claim, uid: claimId },
          persistentVolumeReclaimPolicy: 'Delete',
          ...source,
        },
        status: { phase: 'Bound' },
      },
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: {
          name: claim,
          namespace: workload.namespace,
          uid: claimId,
          creationTimestamp: this.#lab.createdAt,
          labels: labelsOf(workload),
          annotations: { 'pv.kubernetes.io/bind-completed': 'yes' },
        },
        spec: { ...shared, resources: { requests: { storage: '100Gi' } }, volumeName: volume },
        status: { phase: 'Bound', accessModes: ['ReadWriteOnce'], capacity: { storage: '100Gi' } },
      },
    ]
  }

  /** A claim of several pods, with its volume on the file server. */
  #sharedClaim({ namespace, name, size }: ClaimRow): KubeObject[] {
    const claimId = uid('PersistentVolumeClaim', namespace, name)
    const volume = `pvc-${claimId}`
    const shared = { accessModes: ['ReadWriteMany'], storageClassName: 'nfs-slow', volumeMode: 'Filesystem' }
    const creationTimestamp = this.#lab.createdAt
    return [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: volume, uid: uid('PersistentVolume', '', volume), creationTimestamp },
        spec: {
          ...shared,
          capacity: { storage: size },
          claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid: claimId },
          persistentVolumeReclaimPolicy: 'Delete',
          csi: { driver: 'nfs.csi.k8s.io', volumeHandle: `candlekeep#kubernetes#${volume}##` },
        },
        status: { phase: 'Bound' },
      },
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name, namespace, uid: claimId, creationTimestamp, annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
        spec: { ...shared, resources: { requests: { storage: size } }, volumeName: volume },
        status: { phase: 'Bound', accessModes: ['ReadWriteMany'], capacity: { storage: size } },
      },
    ]
  }

  /** What the node's kubelet lists, where the table knows sizes. */
  #imagesOn(node: NodeRow) {
    const { imageBytes, workloads } = this.#lab
    const here = workloads.filter(({ nodes, image }) => nodes.includes(node.name) && Object.hasOwn(imageBytes, image))
    if (here.length === 0) return {}
    return { images: here.map(({ image }) => ({ names: [image], sizeBytes: imageBytes[image] })) }
  }

  #nodeObject(node: NodeRow): KubeObject {
    const index = this.#lab.nodes.indexOf(node)
    return {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name: node.name,
        uid: uid('Node', '', node.name),
        creationTimestamp: this.#lab.createdAt,
        labels: {
          'beta.kubernetes.io/arch': 'amd64',
          'beta.kubernetes.io/os': 'linux',
          'kubernetes.io/arch': 'amd64',
          'kubernetes.io/hostname': node.name,
          'kubernetes.io/os': 'linux',
          ...node.labels,
        },
      },
      spec: { podCIDR: `10.244.${index}.0/24`, podCIDRs: [`10.244.${index}.0/24`] },
      status: {
        addresses: [
          { type: 'InternalIP', address: node.address },
          { type: 'Hostname', address: node.name },
        ],
        allocatable: {
          cpu: printed(`${node.cpuMillicores}m`),
          memory: printed(`${node.memoryMi}Mi`),
          pods: '110',
          'ephemeral-storage': '450Gi',
          ...node.extended,
        },
        capacity: {
          cpu: node.capacityCpu,
          memory: printed(`${node.capacityMemoryMi}Mi`),
          pods: '110',
          'ephemeral-storage': '480Gi',
          ...node.extended,
        },
        conditions: [
          ['MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
          ['DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
          ['PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
          ['Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'],
        ].map(([type, status, reason, message]) => ({
          type,
          status,
          reason,
          message,
          lastHeartbeatTime: this.#lab.takenAt,
          lastTransitionTime: this.#lab.createdAt,
        })),
        daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
        ...this.#imagesOn(node),
        nodeInfo: {
          architecture: 'amd64',
          bootID: uid('Boot', '', node.name),
          containerRuntimeVersion: this.#lab.system.containerRuntimeVersion,
          kernelVersion: this.#lab.system.kernelVersion,
          kubeProxyVersion: '',
          kubeletVersion: this.#lab.system.kubeletVersion,
          machineID: createHash('sha256').update(node.name).digest('hex').slice(0, 32),
          operatingSystem: 'linux',
          osImage: this.#lab.system.osImage,
          systemUUID: uid('System', '', node.name),
        },
      },
    }
  }

  #serviceOf(workload: WorkloadRow): KubeObject[] {
    if (workload.port === undefined || workload.kind === 'Static') return []
    const place = this.#lab.workloads.indexOf(workload)
    const address = workload.kind === 'StatefulSet' ? 'None' : `10.96.${Math.floor(place / 16)}.${(place % 16) * 8 + 10}`
    const addresses = { clusterIP: address, clusterIPs: [address] }
    return [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: this.#metadata('Service', workload, { labels: labelsOf(workload) }),
        spec: {
          ...addresses,
          ports: [{ name: 'main', port: workload.port, protocol: 'TCP', targetPort: workload.port }],
          selector: labelsOf(workload),
          type: 'ClusterIP',
        },
      },
    ]
  }

  #metrics(pods: readonly { workload: WorkloadRow; name: string; node: NodeRow }[]): KubeObject[] {
    const window = { timestamp: this.#lab.takenAt, window: '15s' }
    return [
      ...this.#lab.nodes.map(node => ({
        apiVersion: 'metrics.k8s.io/v1beta1',
        kind: 'NodeMetrics',
        metadata: { name: node.name, creationTimestamp: this.#lab.takenAt },
        ...window,
        usage: { cpu: printed(`${node.usedMillicores}m`), memory: printed(`${node.usedMi}Mi`) },
      })),
      ...pods.map(({ workload, name, node }) => ({
        apiVersion: 'metrics.k8s.io/v1beta1',
        kind: 'PodMetrics',
        metadata: { name, namespace: workload.namespace, creationTimestamp: this.#lab.takenAt },
        ...window,
        containers: [
          {
            name: workload.name,
            usage: {
              cpu: printed(`${Math.round((workload.usedMillicores ?? workload.cpuMillicores * node.cpuShare) * 1000)}u`),
              memory: printed(`${Math.round((workload.usedMi ?? workload.memoryMi * node.memoryShare) * 1024)}Ki`),
            },
          },
        ],
      })),
    ]
  }

  /** File name below the example's folder → its text. */
  files(): ReadonlyMap<string, string> {
    const used = new Map<string, number>()
    const nextIndex = (node: string) => {
      const index = used.get(node) ?? 0
      used.set(node, index + 1)
      return index
    }
    const files = new Map<string, KubeObject[]>()
    const put = (file: string, ...objects: KubeObject[]) => files.set(file, [...(files.get(file) ?? []), ...objects])
    const namespaces = [...new Set([...this.#lab.workloads, ...this.#lab.sharedClaims].map(({ namespace }) => namespace))].sort()
    put(
      'cluster/namespaces.yaml',
      ...namespaces.map(name => ({
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: {
          name,
          uid: uid('Namespace', '', name),
          creationTimestamp: this.#lab.createdAt,
          labels: {
            'kubernetes.io/metadata.name': name,
            ...this.#lab.namespaceLabels[name],
          },
        },
        spec: { finalizers: ['kubernetes'] },
        status: { phase: 'Active' },
      })),
    )
    put('cluster/nodes.yaml', ...this.#lab.nodes.map(node => this.#nodeObject(node)))
    for (const { name, provisioner, bindingMode, more } of this.#lab.storageClasses) {
      put('cluster/storage.yaml', {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'StorageClass',
        metadata: { name, uid: uid('StorageClass', '', name), creationTimestamp: this.#lab.createdAt },
        provisioner,
        ...more,
        reclaimPolicy: 'Delete',
        volumeBindingMode: bindingMode,
      })
    }
    for (const claim of this.#lab.sharedClaims) put('cluster/storage.yaml', ...this.#sharedClaim(claim))
    const pods: { workload: WorkloadRow; name: string; node: NodeRow }[] = []
    for (const workload of this.#lab.workloads) {
      for (const object of [...this.#secretOf(workload), ...this.#objectsOf(workload, nextIndex)]) {
        if (object.kind === 'PersistentVolume' || object.kind === 'PersistentVolumeClaim') put('cluster/storage.yaml', object)
        else put(`cluster/workloads-${workload.namespace}.yaml`, object)
        if (object.kind === 'Pod')
          pods.push({
            workload,
            name: object.metadata.name,
            node: this.#nodeNamed((object['spec'] as { nodeName: string }).nodeName),
          })
      }
      put('cluster/services.yaml', ...this.#serviceOf(workload))
      if (this.#lab.saysOwners && workload.owner === mover) {
        put('config/pod-disruption-budgets.yaml', {
          apiVersion: 'policy/v1',
          kind: 'PodDisruptionBudget',
          metadata: { name: workload.name, namespace: workload.namespace },
          spec: { maxUnavailable: 1, selector: { matchLabels: labelsOf(workload) } },
        })
      }
    }
    put('cluster/metrics.yaml', ...this.#metrics(pods))
    const header = `# Made by \`npm run generate\` from scripts/examples/${this.#lab.table}; a test compares the two.\n`
    return new Map(
      [...files].filter(([, objects]) => objects.length > 0).map(([file, objects]) => [file, header + asYaml(objects)]),
    )
  }
}

/** File name below the example's folder → its text, for everything that is made from the tables. */
export function homelabFiles(lab: Homelab): ReadonlyMap<string, string> {
  return new HomelabFiles(lab).files()
}
