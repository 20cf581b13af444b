// A twin on which node-feature-discovery stands as its chart installs it, with stand-ins for what its pods and ours publish, and Ballast's controller in
// this process: for trying the swap from one to the other.

import { installationValues, plainRelease } from '#deployment/installation.ts'
import { objects } from '#deployment/objects.ts'
import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { featureKinds } from '../src/capabilities/features/kinds.ts'
import { resourceOf } from '../src/migration/writes.ts'
import { upstreamNamed } from './carried-swap.ts'
import { featuresOf, nodeFeatures, ruleObject } from './features-cluster.ts'
import { node } from './small-cluster.ts'
import { SwapSite } from './swap-site.ts'

const { signal } = new AbortController()
export const nfdNamespace = 'node-feature-discovery'
const agentNamespace = 'ballast-agent'
const release = 'nfd'
const full = 'nfd-node-feature-discovery'
const master = `${full}-master`

const labels = {
  'app.kubernetes.io/name': 'node-feature-discovery',
  'app.kubernetes.io/instance': release,
  'helm.sh/chart': 'node-feature-discovery-0.19.0',
  'app.kubernetes.io/managed-by': 'Helm',
}
const annotations = { 'meta.helm.sh/release-name': release, 'meta.helm.sh/release-namespace': nfdNamespace }

const of = (apiVersion: string, kind: string, name: string, rest: object = {}, isNamespaced = true): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, ...(isNamespaced ? { namespace: nfdNamespace } : {}), labels, annotations },
  ...rest,
})

function workloadOf(kind: string, role: string, args: readonly string[], spec: object): KubeObject {
  const selector = { 'app.kubernetes.io/name': 'node-feature-discovery', 'app.kubernetes.io/instance': release, role }
  const config = { name: `nfd-${role}-conf`, configMap: { name: `${full}-${role}-conf` } }
  return of('apps/v1', kind, `${full}-${role}`, {
    spec: {
      ...spec,
      selector: { matchLabels: selector },
      template: {
        metadata: { labels: selector },
        spec: {
          serviceAccountName: `${full}-${role}`,
          containers: [
            { name: role, image: 'registry.k8s.io/nfd/node-feature-discovery:v0.19.0', command: [`nfd-${role}`], args },
          ],
          ...(role === 'gc' ? {} : { volumes: [config] }),
        },
      },
    },
  })
}

/** What the chart 0.19 leaves in a cluster, and Helm's own record of it. */
export function nfdInstallation(masterArgs: readonly string[] = ['-enable-taints', '-port=8080']): readonly KubeObject[] {
  const role = (name: string, isNamespaced: boolean) => {
    const kind = isNamespaced ? 'Role' : 'ClusterRole'
    const subjects = [{ kind: 'ServiceAccount', name: `${full}-${name}`, namespace: nfdNamespace }]
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind, name: `${full}-${name}` }
    return [
      of('v1', 'ServiceAccount', `${full}-${name}`),
      of('rbac.authorization.k8s.io/v1', kind, `${full}-${name}`, { rules: [] }, isNamespaced),
      of('rbac.authorization.k8s.io/v1', `${kind}Binding`, `${full}-${name}`, { subjects, roleRef }, isNamespaced),
    ]
  }
  return [
    ...featureKinds.flatMap(({ definition }) => definition ?? []),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: nfdNamespace } },
    ...role('master', false),
    ...role('gc', false),
    ...role('worker', true),
    of('v1', 'ConfigMap', `${full}-master-conf`, { data: { 'nfd-master.conf': 'extraLabelNs: [a.example]\n' } }),
    of('v1', 'ConfigMap', `${full}-worker-conf`, { data: { 'nfd-worker.conf': 'null\n' } }),
    workloadOf('DaemonSet', 'worker', ['-owner-refs=pod,ds', '-port=8080'], {}),
    workloadOf('Deployment', 'gc', ['-gc-interval=1h'], { replicas: 1 }),
    workloadOf('Deployment', 'master', masterArgs, { replicas: 1 }),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: `sh.helm.release.v1.${release}.v1`,
        namespace: nfdNamespace,
        labels: { owner: 'helm', name: release, status: 'deployed' },
      },
      type: 'helm.sh/release.v1',
    },
  ]
}

/** A node as upstream's master left it: by the rule of a vendor, which counts devices. */
function labelled(name: string): KubeObject {
  const plain = node(name) as Node
  const own = {
    'feature.node.kubernetes.io/plain': 'yes',
    'gpu.example.com/present': 'true',
    'gpu.example.com/device-7d51': 'here',
    'gpu.example.com/count': '1',
  }
  return {
    ...plain,
    metadata: {
      ...plain.metadata,
      labels: { ...plain.metadata.labels, ...own, 'kubernetes.io/os': 'linux' },
      annotations: {
        'gpu.example.com/by': 'graphics',
        'nfd.node.kubernetes.io/feature-labels':
          'gpu.example.com/count,gpu.example.com/device-7d51,gpu.example.com/present,plain',
        'nfd.node.kubernetes.io/feature-annotations': 'gpu.example.com/by',
        'nfd.node.kubernetes.io/extended-resources': 'gpu.example.com/shares',
        'nfd.node.kubernetes.io/taints': 'gpu.example.com/only=yes:PreferNoSchedule',
      },
    },
    spec: { ...plain.spec, taints: [{ key: 'gpu.example.com/only', value: 'yes', effect: 'PreferNoSchedule' }] },
    status: {
      ...Object(plain.status),
      capacity: { ...Object(plain.status).capacity, 'gpu.example.com/shares': '1k' },
      allocatable: { ...Object(plain.status).allocatable, 'gpu.example.com/shares': '1k' },
    },
  }
}

const cards = [{ feature: 'pci.device', matchExpressions: { class: { op: 'In', value: ['0300'] } } }]

/** What a vendor's rule gives; its taint keeps nobody away for sure. */
const gives = {
  name: 'intel graphics',
  labels: { 'gpu.example.com/present': 'true' },
  labelsTemplate: '{{ range .pci.device }}gpu.example.com/device-{{ .device }}=here\n{{ end }}',
  annotations: { 'gpu.example.com/by': 'graphics' },
  extendedResources: { 'gpu.example.com/shares': '1k' },
  taints: [{ key: 'gpu.example.com/only', value: 'yes', effect: 'PreferNoSchedule' }],
  matchFeatures: cards,
}

/** It would count twice what both sides publish. */
const counting = ruleObject('counting', {
  name: 'cards',
  labelsTemplate: 'gpu.example.com/count={{ len .pci.device }}',
  matchFeatures: cards,
})

/** The program of a pod, by what it is told. */
type Whose = 'upstream' | 'ours'

export class NfdSite implements AsyncDisposable {
  readonly swap: SwapSite
  /** Moments at which a node lacked something, or had it otherwise. */
  readonly lost = new Set<string>()
  /** Our workers do not publish. */
  isMute = false
  #isOver = false

  private constructor(swap: SwapSite) {
    this.swap = swap
  }

  /** `more`: what else is in the cluster. */
  static async start(more: readonly KubeObject[] = []): Promise<NfdSite> {
    const subject = { upstream: upstreamNamed('nfd'), deployment: master }
    const rules = [ruleObject('graphics', gives), counting]
    const all = [...nfdInstallation(), ...rules, labelled('n1'), labelled('n2'), ...more]
    const site = new NfdSite(await SwapSite.start(all, 'real', subject))
    const standing = site.#stand()
    standing.catch(error => void site.lost.add(`the stand-in broke: ${String(error)}`))
    await site.swap.pass(30_000)
    return site
  }

  /** NodeFeatures as `namespace/name`. */
  get published(): readonly string[] {
    return this.swap
      .list('nodefeatures.nfd.k8s-sigs.io')
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
      .sort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.swap[Symbol.asyncDispose]()
  }

  /** Every second: pods publish what is on their nodes, and nodes are looked at. */
  async #stand(): Promise<void> {
    while (!this.#isOver) {
      for (const pod of this.swap.list('pods')) {
        const whose = whoseIs(pod)
        const name = textAt(pod, 'spec', 'nodeName')
        if (whose === undefined || name === undefined || textAt(pod, 'status', 'phase') !== 'Running') continue
        if (whose === 'ours' && this.isMute) continue
        await this.#publish(name, pod, whose === 'ours' ? agentNamespace : nfdNamespace)
      }
      await this.#decide()
      this.#look()
      await this.swap.clock.after(1_000)
    }
  }

  async #publish(name: string, pod: KubeObject, namespace: string): Promise<void> {
    if (this.published.includes(`${namespace}/${name}`)) return
    const made = featuresOf(name, '7d51', { plain: 'yes' })
    const owner = { apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name, uid: pod.metadata.uid ?? '' }
    const ownerReferences = [
      owner,
      ...(pod.metadata.ownerReferences ?? []).map(({ controller: _c, blockOwnerDeletion: _b, ...rest }) => rest),
    ]
    const metadata = {
      ...made.metadata,
      namespace,
      ownerReferences,
      annotations: { 'nfd.node.kubernetes.io/worker.version': 'v0.19.0' },
    }
    try {
      await this.swap.admin.resource<KubeObject>(nodeFeatures).create({ ...made, metadata }, { namespace, signal })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  /** Upstream's master, as far as it counts: what both sides publish counts twice, and what nobody publishes is taken away. */
  async #decide(): Promise<void> {
    const isAwake = this.swap
      .list('pods')
      .some(({ metadata, ...pod }) => metadata.labels?.['role'] === 'master' && textAt(pod, 'status', 'phase') === 'Running')
    if (!isAwake || this.published.length === 0) return
    for (const { metadata } of this.swap.list('nodes')) {
      const count = this.published.filter(one => one.endsWith(`/${metadata.name}`)).length
      const body = { metadata: { labels: { 'gpu.example.com/count': count === 0 ? null : String(count) } } }
      await this.swap.admin.resource(builtIn.nodes).patch(metadata.name, { type: 'merge', body }, { signal })
    }
  }

  #look(): void {
    for (const { metadata, spec, status } of this.swap.list('nodes') as readonly Node[]) {
      const has = {
        ...metadata.labels,
        by: metadata.annotations?.['gpu.example.com/by'],
        shares: Object(status).capacity?.['gpu.example.com/shares'],
        taint: spec?.taints?.find(({ key }) => key === 'gpu.example.com/only')?.value,
      }
      const wanted: Readonly<Record<string, string>> = {
        'feature.node.kubernetes.io/plain': 'yes',
        'gpu.example.com/present': 'true',
        'gpu.example.com/device-7d51': 'here',
        'gpu.example.com/count': '1',
        by: 'graphics',
        shares: '1k',
        taint: 'yes',
      }
      const found: Readonly<Record<string, unknown>> = has
      for (const [key, value] of Object.entries(wanted))
        if (found[key] !== value) this.lost.add(`${metadata.name}: ${key} is ${String(found[key])}`)
      const described = this.published.some(one => one.endsWith(`/${metadata.name}`))
      if (!described && this.swap.clock.now() > startedMs) this.lost.add(`${metadata.name} is described by nobody`)
    }
  }
}

/** By then workers have published for the first time. */
const startedMs = Date.parse('2026-03-02T04:01:30Z')

function whoseIs(pod: KubeObject): Whose | undefined {
  if (pod.metadata.labels?.['role'] === 'worker') return 'upstream'
  const words = listAt(pod, 'spec', 'containers').flatMap(container => listAt(container, 'args').map(String))
  return words.includes('--role=features') ? 'ours' : undefined
}

interface AgentPod {
  readonly containers: readonly {
    readonly name: string
    readonly resources?: { readonly requests?: { readonly cpu?: string } }
  }[]
}

/** The template of our pods on nodes. */
export function podOf(site: NfdSite): AgentPod | undefined {
  const set = site.swap.find('daemonsets.apps', 'ballast-agent')
  const template: unknown = set === undefined ? undefined : Object(set['spec']).template
  // The cast: the API server has checked it.
  return template === undefined ? undefined : (Object(template).spec as AgentPod)
}

/** Ballast as somebody installed it for readiness, with a request of CPU of their own. */
export async function installWithReadiness(site: NfdSite): Promise<void> {
  const asked = {
    preset: { namespace: { create: true }, agent: { resources: { requests: { cpu: '77m' } } } },
    enable: ['readiness'],
  }
  const values = installationValues(asked, enabledCapabilities)
  const made = objects(values, { capabilities: enabledCapabilities, release: plainRelease('ballast', 'ballast-system') })
  for (const object of made) {
    const { namespace } = object.metadata
    await site.swap.admin
      .resource<KubeObject>(resourceOf(object))
      .apply(object, { signal, fieldManager: 'ballast-install', force: true, ...(namespace === undefined ? {} : { namespace }) })
  }
  await site.swap.pass(60_000)
}
