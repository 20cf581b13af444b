// Another process that empties a node: it asks by a DisruptionPermit, cordons, evicts one pod after the other, and stops where its permit has ended.
import { type DisruptionPermit, disruptionPermits } from '#coordination/api.ts'
import type { Api } from '#kube/client/api.ts'
import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { namespace } from './controlled-cluster.ts'
import { node, smallWorkload } from './small-cluster.ts'

const fieldManager = 'outsider'

/** n1 and n3 have room for what runs on n2, and none for `bigPod`; a DaemonSet is everywhere. */
export const drainableCluster: readonly KubeObject[] = [
  ...['n1', 'n2', 'n3'].map(node),
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', uid: 'namespace-shop' } },
  ...smallWorkload({ name: 'fixed', cpu: '3', on: ['n1', 'n3'], owner: 'none' }),
  ...smallWorkload({ name: 'web', cpu: '300m', on: ['n2', 'n2'], owner: 'descheduler' }),
  {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'agent', namespace: 'shop', uid: 'daemonset-agent', generation: 1 },
    spec: {
      selector: { matchLabels: { app: 'agent' } },
      template: {
        metadata: { labels: { app: 'agent' } },
        spec: { containers: [{ name: 'main', image: 'registry.example/agent:1', resources: { requests: { cpu: '50m' } } }] },
      },
    },
  },
]

/** Asks for more than n1 and n3 have. */
export const bigPod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'big', namespace: 'shop' },
  spec: {
    containers: [{ name: 'main', image: 'registry.example/big:1', resources: { requests: { cpu: '2', memory: '256Mi' } } }],
  },
}

export class DrainClient {
  readonly #api: Api
  readonly #node: string
  readonly #signal = new AbortController().signal

  constructor(api: Api, nodeName: string) {
    this.#api = api
    this.#node = nodeName
  }

  /** Asks under this name: the permit's, and the wish's. `nowMs`: of the cluster. */
  async ask(name: string, nowMs: number): Promise<void> {
    const { metadata } = await this.node()
    const request: DisruptionPermit = {
      apiVersion: 'ballast.dev/v1alpha1',
      kind: 'DisruptionPermit',
      metadata: { name, namespace },
      spec: {
        requester: 'outsider',
        class: 'cost',
        verb: 'drain',
        purpose: 'drain',
        targets: [{ apiVersion: 'v1', kind: 'Node', name: metadata.name, uid: metadata.uid ?? '' }],
        reasons: [{ code: 'cost', message: `${metadata.name} is hardly used` }],
        idempotencyKey: name,
        deadline: new Date(nowMs + 7_200_000).toISOString(),
        nodes: [],
        joined: [],
        siblings: [],
      },
    }
    await this.#permits.create(request, { namespace, signal: this.#signal, fieldManager })
  }

  permit(name: string): Promise<DisruptionPermit> {
    return this.#permits.get(name, { namespace, signal: this.#signal })
  }

  node(): Promise<Node> {
    return this.#api.resource<Node>(builtIn.nodes).get(this.#node, { signal: this.#signal })
  }

  async cordon(): Promise<void> {
    const body = { spec: { unschedulable: true } }
    await this.#api
      .resource<Node>(builtIn.nodes)
      .patch(this.#node, { type: 'merge', body }, { signal: this.#signal, fieldManager })
  }

  /** The next pod of a workload that is still there, if the permit says that it may. @returns whether one was asked to go */
  async evictNext(permit: string, workload: string): Promise<boolean> {
    if ((await this.permit(permit)).status?.releasedAt !== undefined) return false
    const pods = await this.#api.resource<Pod>(builtIn.pods).list({ namespace: 'shop', signal: this.#signal })
    const pod = pods.items.find(
      ({ metadata, spec }) =>
        spec.nodeName === this.#node && metadata.labels?.['app'] === workload && metadata.deletionTimestamp === undefined,
    )
    if (pod === undefined) return false
    const { name, uid = '' } = pod.metadata
    const body = { ...evictionOf(name), deleteOptions: { preconditions: { uid } } }
    await this.#api.resource<Pod>(builtIn.pods).sub(name, 'eviction', 'POST', body, { namespace: 'shop', signal: this.#signal })
    return true
  }

  async createPod(pod: Pod): Promise<void> {
    await this.#api.resource<Pod>(builtIn.pods).create(pod, { namespace: 'shop', signal: this.#signal, fieldManager })
  }

  pod(name: string): Promise<Pod> {
    return this.#api.resource<Pod>(builtIn.pods).get(name, { namespace: 'shop', signal: this.#signal })
  }

  get #permits() {
    return this.#api.resource<DisruptionPermit>(disruptionPermits)
  }
}

function evictionOf(name: string) {
  return { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'shop' } }
}
