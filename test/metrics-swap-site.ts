// A twin on which metrics-server stands as its chart or its plain manifests install it, a stand-in for Ballast's apiserver that does what its
// ConfigMap says, and callers who ask each second: for trying the swap to ours and back, killed at any write. What callers are told is the twin's.
import { parse } from 'yaml'
import { type Api, openApi } from '#kube/client/api.ts'
import type { Transport, TransportRequest, TransportResponse } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { at, listAt, numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isAlreadyExists, isConflict, isNotFound } from '#kube/objects/status.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import type { StepResult } from '../src/migration/run.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { carriedSwap, endOf, passed, type SwapWish, upstreamNamed } from './carried-swap.ts'
import { surroundings, workload } from './reload-cluster.ts'
import { type Kill, mortal } from './swap-site.ts'

const startMs = Date.parse('2026-03-02T04:00:00Z')
const { signal } = new AbortController()
const namespace = 'kube-system'
export const apiServices = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' } as const
const apiName = 'v1beta1.metrics.k8s.io'
const authority = Buffer.from('authority of a test').toString('base64')

interface UpstreamWish {
  readonly chart?: boolean
  readonly args?: readonly string[]
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly pod?: object
}

const manifestArgs = [
  '--cert-dir=/tmp',
  '--secure-port=10250',
  '--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname',
  '--kubelet-use-node-status-port',
  '--metric-resolution=15s',
]

/** What `components.yaml`, or the chart 3.13.0, leaves in a cluster. */
export function metricsServerInstallation(wish: UpstreamWish = {}): readonly KubeObject[] {
  const { chart = false, args = manifestArgs, labels: more = {}, annotations: notes = {}, pod = {} } = wish
  const name = 'metrics-server'
  const chartLabels = {
    'helm.sh/chart': 'metrics-server-3.13.0',
    'app.kubernetes.io/name': name,
    'app.kubernetes.io/instance': name,
    'app.kubernetes.io/version': '0.8.0',
    'app.kubernetes.io/managed-by': 'Helm',
  }
  const labels = { ...(chart ? chartLabels : { 'k8s-app': name }), ...more }
  const helm = chart ? { 'meta.helm.sh/release-name': name, 'meta.helm.sh/release-namespace': namespace } : {}
  const annotations = { ...helm, ...notes }
  const of = (apiVersion: string, kind: string, called: string, rest: object, isWide = false): KubeObject => ({
    apiVersion,
    kind,
    metadata: { name: called, ...(isWide ? {} : { namespace }), labels, annotations },
    ...rest,
  })
  const rbac = 'rbac.authorization.k8s.io/v1'
  const selector = chart ? { 'app.kubernetes.io/name': name, 'app.kubernetes.io/instance': name } : { 'k8s-app': name }
  const subjects = [{ kind: 'ServiceAccount', name, namespace }]
  const roleRef = (kind: string, role: string) => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name: role })
  const reader = of(
    rbac,
    'ClusterRole',
    chart ? 'system:metrics-server-aggregated-reader' : 'system:aggregated-metrics-reader',
    { rules: [{ apiGroups: ['metrics.k8s.io'], resources: ['pods', 'nodes'], verbs: ['get', 'list', 'watch'] }] },
    true,
  )
  const toAll = Object.fromEntries(
    ['view', 'edit', 'admin'].map(role => [`rbac.authorization.k8s.io/aggregate-to-${role}`, 'true']),
  )
  return [
    of('v1', 'ServiceAccount', name, {}),
    { ...reader, metadata: { ...reader.metadata, labels: { ...labels, ...toAll } } },
    of(
      rbac,
      'ClusterRole',
      'system:metrics-server',
      {
        rules: [
          { apiGroups: [''], resources: ['nodes/metrics'], verbs: ['get'] },
          { apiGroups: [''], resources: ['pods', 'nodes'], verbs: ['get', 'list', 'watch'] },
        ],
      },
      true,
    ),
    of(
      rbac,
      'ClusterRoleBinding',
      'system:metrics-server',
      { roleRef: roleRef('ClusterRole', 'system:metrics-server'), subjects },
      true,
    ),
    of(
      rbac,
      'ClusterRoleBinding',
      'metrics-server:system:auth-delegator',
      { roleRef: roleRef('ClusterRole', 'system:auth-delegator'), subjects },
      true,
    ),
    of(rbac, 'RoleBinding', 'metrics-server-auth-reader', {
      roleRef: roleRef('Role', 'extension-apiserver-authentication-reader'),
      subjects,
    }),
    of('v1', 'Service', name, {
      spec: { selector, ports: [{ name: 'https', port: 443, targetPort: 'https', protocol: 'TCP' }] },
    }),
    of('apps/v1', 'Deployment', name, {
      spec: {
        replicas: 1,
        selector: { matchLabels: selector },
        template: {
          metadata: { labels: selector },
          spec: {
            serviceAccountName: name,
            terminationGracePeriodSeconds: 5,
            volumes: [{ name: 'tmp-dir', emptyDir: {} }],
            containers: [
              {
                name,
                image: 'registry.k8s.io/metrics-server/metrics-server:v0.8.0',
                args,
                volumeMounts: [{ name: 'tmp-dir', mountPath: '/tmp' }],
              },
            ],
            ...pod,
          },
        },
      },
    }),
    of(
      'apiregistration.k8s.io/v1',
      'APIService',
      apiName,
      {
        spec: {
          group: 'metrics.k8s.io',
          version: 'v1beta1',
          groupPriorityMinimum: 100,
          versionPriority: 100,
          insecureSkipTLSVerify: true,
          service: { name, namespace, port: 443 },
        },
      },
      true,
    ),
    ...(chart
      ? [
          {
            apiVersion: 'v1',
            kind: 'Secret',
            metadata: {
              name: 'sh.helm.release.v1.metrics-server.v1',
              namespace,
              labels: { owner: 'helm', name, status: 'deployed' },
            },
            type: 'helm.sh/release.v1',
          },
        ]
      : []),
  ]
}

/** Who asks what containers use. */
export const measuredWorkloads: readonly KubeObject[] = [
  workload({ name: 'web', annotations: {}, replicas: 2 }),
  workload({ name: 'db', annotations: {} }),
]

interface Applied {
  readonly results: readonly StepResult[]
  readonly isDone: boolean
  readonly error: Error | undefined
  readonly writes: readonly string[]
}

export class MetricsSwapSite implements AsyncDisposable {
  readonly clock: VirtualClock
  readonly twin: Twin
  readonly admin: Api
  /** Moments at which callers were led to somebody who does not answer. */
  readonly unanswered: string[] = []
  /** Does the stand-in measure? */
  isMeasuring = true
  /** Answers for what callers ask, in place of the twin. */
  told: ((request: TransportRequest) => unknown) | undefined
  meanwhile: (write: string) => Promise<void> = async () => undefined
  #isOver = false

  private constructor(clock: VirtualClock, twin: Twin) {
    this.clock = clock
    this.twin = twin
    this.admin = this.api(twin.transport({ admin: true }))
  }

  static async start(
    objects: readonly KubeObject[] = [...measuredWorkloads, ...metricsServerInstallation()],
  ): Promise<MetricsSwapSite> {
    const clock = new VirtualClock(startMs)
    const twin = await startTwin({ clock, seed: 1, objects: [...surroundings(objects).map(onLinux), ...objects] })
    const site = new MetricsSwapSite(clock, twin)
    await site.pass(30_000)
    site.#stand().catch(error => site.#isOver || site.unanswered.push(`the stand-in broke: ${String(error)}`))
    return site
  }

  api(transport: Transport): Api {
    return openApi(transport, { clock: this.clock, userAgent: 'ballast-test' })
  }

  /** Runs the steps as a person would, with a holder of its own; killed where asked. */
  async apply(options: SwapWish & { readonly kill?: Kill } = {}): Promise<Applied> {
    const writes: string[] = []
    const results: StepResult[] = []
    const { kill, ...wish } = options
    const wire = this.#asPods(this.twin.transport({ admin: true }))
    const death = new AbortController()
    const api = this.api(mortal(wire, writes, { kill, meanwhile: this.meanwhile, death }))
    const reach = { api, clock: this.clock, capabilities: enabledCapabilities, signal: death.signal }
    const run = carriedSwap(upstreamNamed('metrics-server'), reach, wish, result => results.push(result))
    return { results, writes, ...(await endOf(run, this.clock)) }
  }

  async pass(ms: number): Promise<void> {
    await passed(this.clock, ms)
  }

  list(resource: string): readonly KubeObject[] {
    // The twin's store holds what the API server validated.
    return this.twin.access.list(resource) as readonly KubeObject[]
  }

  find(resource: string, name: string, place?: string): KubeObject | undefined {
    return this.list(resource).find(
      ({ metadata }) => metadata.name === name && (place === undefined || metadata.namespace === place),
    )
  }

  get registration(): KubeObject | undefined {
    return this.find('apiservices.apiregistration.k8s.io', apiName)
  }

  /** `namespace/name` of the Service that callers are led to. */
  get ledTo(): string {
    return `${textAt(this.registration, 'spec', 'service', 'namespace')}/${textAt(this.registration, 'spec', 'service', 'name')}`
  }

  get upstreamReplicas(): number | undefined {
    const deployment = this.find('deployments.apps', 'metrics-server', namespace)
    return deployment === undefined ? undefined : (numberAt(deployment, 'spec', 'replicas') ?? 1)
  }

  get isEnabled(): boolean {
    const text = textAt(this.find('configmaps', 'ballast-config', 'ballast-system'), 'data', 'config.yaml')
    return text !== undefined && at(parse(text), 'capabilities', 'metrics', 'enabled') === true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.twin.stop()
  }

  #isReady(name: string, place: string): boolean {
    return (numberAt(this.find('deployments.apps', name, place), 'status', 'readyReplicas') ?? 0) > 0
  }

  /** Our pods answer by the API server's proxy; callers are told by the twin unless the test says otherwise. */
  #asPods(inner: Transport): Transport {
    return {
      request: async request => {
        const told = request.path.startsWith('/apis/metrics.k8s.io/') ? this.told?.(request) : undefined
        return told === undefined ? inner.request(request) : answer(200, JSON.stringify(told))
      },
      stream: async request => {
        if (/^\/api\/v1\/namespaces\/ballast-system\/pods\/[^/]+:8081\/proxy\/readyz$/.test(request.path)) {
          const { status, headers, body } = answer(200, this.#readiness())
          return { status, headers, chunks: onePiece(body) }
        }
        const told = request.path.startsWith('/apis/metrics.k8s.io/') ? this.told?.(request) : undefined
        if (told === undefined) return inner.stream(request)
        const { status, headers, body } = answer(200, JSON.stringify(told))
        return { status, headers, chunks: onePiece(body) }
      },
      close: () => inner.close(),
    }
  }

  #readiness(): string {
    if (!this.isMeasuring || !this.isEnabled) return '[+]shutdown ok\nreadyz check passed\n'
    const nodes = this.list('nodes').length
    const containers = this.list('pods').reduce((sum, pod) => sum + listAt(pod, 'spec', 'containers').length, 0)
    return `[+]metrics-points ok: ${nodes} nodes and ${containers} containers have rates\nreadyz check passed\n`
  }

  /** Each second: whether whoever callers are led to is there, and what ours would do: make a certificate, and put its authority where it is wanted. */
  async #stand(): Promise<void> {
    while (!this.#isOver) {
      await this.clock.after(1_000)
      if (this.#isOver) return
      const isOurs = this.#isReady('ballast-apiserver', 'ballast-system') && this.isEnabled
      const answers = {
        'kube-system/metrics-server': this.#isReady('metrics-server', namespace),
        'ballast-system/ballast-apiserver': isOurs,
      }
      const isJudged =
        this.ledTo !== 'ballast-system/ballast-apiserver' || textAt(this.registration, 'spec', 'caBundle') === authority
      if (Reflect.get(answers, this.ledTo) !== true || !isJudged)
        this.unanswered.push(`${new Date(this.clock.now()).toISOString()} ${this.ledTo}`)
      if (isOurs) await this.#keepCertificate()
    }
  }

  async #keepCertificate(): Promise<void> {
    if (this.find('secrets', 'ballast-apiserver-tls', 'ballast-system') !== undefined) return
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'ballast-apiserver-tls', namespace: 'ballast-system' },
      data: { 'ca.crt': authority },
    }
    try {
      await this.admin.resource(builtIn.secrets).create(secret, { namespace: 'ballast-system', signal })
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error) && !isAlreadyExists(error)) throw error
    }
  }
}

function answer(status: number, text: string): TransportResponse {
  return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(text) }
}

async function* onePiece(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body
}

/** As every kubelet labels its node. */
function onLinux(object: KubeObject): KubeObject {
  if (object.kind !== 'Node') return object
  const { labels } = object.metadata
  return { ...object, metadata: { ...object.metadata, labels: { ...labels, 'kubernetes.io/os': 'linux' } } }
}
