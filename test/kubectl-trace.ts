// Traces of kubectl: what it asked of the twin for one line of commands, and the shape of each answer. `test/real/kubectl/record.ts`
// records them with real programs; the replay needs none.
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { decodeProtobuf } from '#twin/api/decoding/protobuf.ts'
import type { TwinRequest, TwinResponse } from '#twin/api/request.ts'
import type { TwinOptions } from '#twin/twin.ts'

/** The part of an answer that must stay the same. */
export type AnswerShape = Readonly<Record<string, unknown>>

export interface Exchange {
  readonly verb: string
  readonly path: string
  readonly query: string
  readonly accept: string
  readonly contentType: string
  /** `--as` */
  readonly impersonates?: string
  /** As text, or base64 where the body is protobuf. */
  readonly body?: { readonly text: string } | { readonly base64: string }
  readonly status: number
  readonly shape: AnswerShape
}

export interface Trace {
  readonly kubectl: string
  /** Revision of the twin before the first request: what requests name counts from there. */
  readonly startRevision: number
  readonly commands: readonly (readonly string[])[]
  readonly exitCodes: readonly number[]
  readonly exchanges: readonly Exchange[]
}

const startMs = Date.parse('2026-01-01T00:00:00Z')

/** How the twin of every trace is started. */
export function traceTwinOptions(): TwinOptions {
  return { clock: new VirtualClock(startMs), seed: 1, objects: traceCluster(), components: false }
}

export function exchangeOf(request: TwinRequest, answer: TwinResponse): Exchange {
  const contentType = request.headers['content-type'] ?? ''
  const bytes = Buffer.from(request.body)
  return {
    verb: request.method,
    path: request.path,
    // The hash of an OpenAPI document changes with the schemas; what is asked for does not.
    // How long a watch lasts is chance.
    query: request.path.startsWith('/openapi/')
      ? ''
      : request.query.toString().replace(/timeoutSeconds=\d+/, 'timeoutSeconds=300'),
    accept: request.headers['accept'] ?? '',
    contentType,
    ...(request.headers['impersonate-user'] === undefined ? {} : { impersonates: request.headers['impersonate-user'] }),
    ...(bytes.byteLength === 0
      ? {}
      : { body: contentType.includes('protobuf') ? { base64: bytes.toString('base64') } : { text: bytes.toString() } }),
    status: answer.status,
    shape:
      answer.kind === 'stream'
        ? { kind: 'watch' }
        : answeredShape(answer.headers['content-type'] ?? '', Buffer.from(answer.body)),
  }
}

/** The shape of an answer in JSON, whichever of the two it came in. */
function answeredShape(contentType: string, body: Buffer): AnswerShape {
  if (!contentType.includes('protobuf')) return shapeOf(contentType, body.toString())
  return shapeOf('application/json', JSON.stringify(decodeProtobuf(body, { kind: '', group: '', version: '' })))
}

/** A request as kubectl would send it to a twin that begins at another revision than the recorded one did. */
export function movedBy(exchange: Exchange, revisions: number): Exchange {
  const moved = (version: string) => String(Number(version) + revisions)
  const query = exchange.query.replace(/(\bresourceVersion=)([1-9]\d*)/g, (_, name, version) => name + moved(version))
  if (exchange.body === undefined || !('text' in exchange.body)) return { ...exchange, query }
  const named = /(resourceVersion"(?:,"value")?:\s*")([1-9]\d*)(?=")/g
  const text = exchange.body.text.replace(named, (_, name, version) => name + moved(version))
  return { ...exchange, query, body: { text } }
}

/** Kind, size and words of an answer. */
export function shapeOf(contentType: string, text: string): AnswerShape {
  if (text === '' || !contentType.startsWith('application/json')) return { contentType: contentType.split(';')[0] }
  const body: unknown = JSON.parse(text)
  if (typeof body !== 'object' || body === null) return { json: typeof body }
  const field = (name: string): unknown => (Object.hasOwn(body, name) ? Reflect.get(body, name) : undefined)
  const sized = (name: string) =>
    Array.isArray(field(name)) && field('kind') !== 'APIGroupDiscoveryList'
      ? { [name]: Reflect.get(Object(field(name)), 'length') }
      : {}
  const words = field('kind') === 'Status' ? { reason: field('reason'), message: field('message') } : {}
  const parts: readonly [string, unknown][] = [
    ['kind', field('kind')],
    ['apiVersion', field('apiVersion')],
    ...Object.entries(words),
  ]
  return {
    ...Object.fromEntries(parts.filter(([, value]) => value !== undefined)),
    ...sized('items'),
    ...sized('rows'),
    ...columns(field('columnDefinitions')),
  }
}

function columns(definitions: unknown): AnswerShape {
  if (!Array.isArray(definitions)) return {}
  return {
    columns: definitions.map((definition: unknown) =>
      typeof definition === 'object' && definition !== null && 'name' in definition ? definition.name : '',
    ),
  }
}

const created = '2025-12-31T12:00:00Z'

function object(
  apiVersion: string,
  kind: string,
  name: string,
  rest: { readonly namespace?: string; readonly metadata?: object; readonly [field: string]: unknown },
): KubeObject {
  const { namespace, metadata, ...fields } = rest
  const uid = `00000000-0000-4000-8000-${Buffer.from(`${kind}${name}`).toString('hex').padEnd(12, '0').slice(-12)}`
  return {
    apiVersion,
    kind,
    metadata: { name, uid, creationTimestamp: created, ...(namespace === undefined ? {} : { namespace }), ...metadata },
    ...fields,
  }
}

function node(name: string): KubeObject {
  const amounts = { cpu: '4', memory: '8Gi', pods: '110' }
  return object('v1', 'Node', name, {
    metadata: { labels: { 'kubernetes.io/hostname': name } },
    spec: { podCIDR: '10.244.0.0/24' },
    status: {
      capacity: amounts,
      allocatable: amounts,
      conditions: [
        { type: 'Ready', status: 'True', reason: 'KubeletReady', lastHeartbeatTime: created, lastTransitionTime: created },
      ],
      nodeInfo: {
        kubeletVersion: 'v1.36.0',
        osImage: 'Linux',
        kernelVersion: '6.12',
        containerRuntimeVersion: 'containerd://2.1',
        architecture: 'amd64',
        operatingSystem: 'linux',
      },
    },
  })
}

const template = (image: string, hash?: string) => ({
  metadata: { labels: { app: 'web', ...(hash === undefined ? {} : { 'pod-template-hash': hash }) } },
  spec: { containers: [{ name: 'c', image, resources: { requests: { cpu: '100m', memory: '64Mi' } } }] },
})

const deployment = object('apps/v1', 'Deployment', 'web', {
  namespace: 'default',
  metadata: { generation: 2, annotations: { 'deployment.kubernetes.io/revision': '2' } },
  spec: { replicas: 2, selector: { matchLabels: { app: 'web' } }, template: template('nginx:1.28') },
  status: {
    observedGeneration: 2,
    replicas: 2,
    updatedReplicas: 2,
    readyReplicas: 2,
    availableReplicas: 2,
    conditions: [
      {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        lastTransitionTime: created,
        lastUpdateTime: created,
      },
      {
        type: 'Progressing',
        status: 'True',
        reason: 'NewReplicaSetAvailable',
        lastTransitionTime: created,
        lastUpdateTime: created,
      },
    ],
  },
})

function owner(of: KubeObject) {
  return [
    {
      apiVersion: of.apiVersion,
      kind: of.kind,
      name: of.metadata.name,
      uid: of.metadata.uid,
      controller: true,
      blockOwnerDeletion: true,
    },
  ]
}

function replicaSet(revision: number, image: string, replicas: number): KubeObject {
  const hash = `hash${revision}`
  return object('apps/v1', 'ReplicaSet', `web-${hash}`, {
    namespace: 'default',
    metadata: {
      labels: { app: 'web', 'pod-template-hash': hash },
      annotations: { 'deployment.kubernetes.io/revision': String(revision) },
      ownerReferences: owner(deployment),
    },
    spec: { replicas, selector: { matchLabels: { app: 'web', 'pod-template-hash': hash } }, template: template(image, hash) },
    status: { replicas, readyReplicas: replicas, availableReplicas: replicas, observedGeneration: 1 },
  })
}

const current = replicaSet(2, 'nginx:1.28', 2)

function pod(name: string, nodeName: string): KubeObject {
  const running = {
    name: 'c',
    ready: true,
    restartCount: 0,
    image: 'nginx:1.28',
    imageID: '',
    state: { running: { startedAt: created } },
  }
  return object('v1', 'Pod', name, {
    namespace: 'default',
    metadata: { labels: { app: 'web', 'pod-template-hash': 'hash2' }, ownerReferences: owner(current) },
    spec: { ...template('nginx:1.28').spec, nodeName },
    status: {
      phase: 'Running',
      podIP: '10.244.0.9',
      startTime: created,
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: created }],
      containerStatuses: [running],
    },
  })
}

const daemons = object('apps/v1', 'DaemonSet', 'agent', {
  namespace: 'default',
  spec: {
    selector: { matchLabels: { app: 'agent' } },
    template: { metadata: { labels: { app: 'agent' } }, spec: { containers: [{ name: 'a', image: 'agent:1' }] } },
  },
  status: { currentNumberScheduled: 1, desiredNumberScheduled: 1, numberReady: 1, numberMisscheduled: 0 },
})

function usage(cpu: string, memory: string) {
  return { timestamp: created, window: '15s', usage: { cpu, memory } }
}

/** The cluster every trace begins with. */
export function traceCluster(): readonly KubeObject[] {
  const budget = object('policy/v1', 'PodDisruptionBudget', 'web', {
    namespace: 'default',
    metadata: { generation: 1 },
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
    status: { observedGeneration: 1, disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2 },
  })
  const event = object('v1', 'Event', 'web-a.1', {
    namespace: 'default',
    involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'web-a', uid: pod('web-a', 'n1').metadata.uid },
    reason: 'Started',
    message: 'Started container c',
    type: 'Normal',
    count: 1,
    firstTimestamp: created,
    lastTimestamp: created,
    source: { component: 'kubelet', host: 'n1' },
  })
  return [
    node('n1'),
    node('n2'),
    deployment,
    replicaSet(1, 'nginx:1.27', 0),
    current,
    pod('web-a', 'n1'),
    pod('web-b', 'n2'),
    daemons,
    {
      ...pod('agent-x', 'n1'),
      metadata: { ...pod('agent-x', 'n1').metadata, labels: { app: 'agent' }, ownerReferences: owner(daemons) as never },
    },
    budget,
    event,
    object('v1', 'Service', 'web', {
      namespace: 'default',
      spec: { clusterIP: '10.96.0.20', clusterIPs: ['10.96.0.20'], selector: { app: 'web' }, ports: [{ port: 80 }] },
    }),
    object('v1', 'ConfigMap', 'settings', { namespace: 'default', data: { a: 'b' } }),
    object('v1', 'ServiceAccount', 'default', { namespace: 'default' }),
    object('metrics.k8s.io/v1beta1', 'NodeMetrics', 'n1', usage('500m', '1Gi')),
    object('metrics.k8s.io/v1beta1', 'NodeMetrics', 'n2', usage('100m', '512Mi')),
    object('metrics.k8s.io/v1beta1', 'PodMetrics', 'web-a', {
      namespace: 'default',
      timestamp: created,
      window: '15s',
      containers: [{ name: 'c', usage: { cpu: '50m', memory: '32Mi' } }],
    }),
    object('example.com/v1', 'Widget', 'w', { namespace: 'default', spec: { size: 1 } }),
  ]
}
