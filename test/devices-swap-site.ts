// A twin on which Intel's device plugins stand as their charts install them, with stand-ins for their operator and for what kubelets say of their nodes: for
// trying the swap to the agents' role `devices` and back.

import { parse } from 'yaml'
import type { Transport, TransportResponse } from '#kube/client/transport.ts'
import { at, listAt, numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { isConflict, isNotFound } from '#kube/objects/status.ts'
import { upstreamNamed } from './carried-swap.ts'
import { node } from './small-cluster.ts'
import { SwapSite } from './swap-site.ts'

const { signal } = new AbortController()
export const operatorNamespace = 'inteldeviceplugins-system'
export const operatorName = 'inteldeviceplugins-controller-manager'
const group = 'deviceplugin.intel.com'
export const card = 'gpu.intel.com/i915'
const gpuLabel = 'intel.feature.node.kubernetes.io/gpu'
export const shares = 5

const annotations = { 'meta.helm.sh/release-name': 'dp', 'meta.helm.sh/release-namespace': operatorNamespace }
const labels = { 'app.kubernetes.io/managed-by': 'Helm' }

const of = (apiVersion: string, kind: string, name: string, rest: object = {}, isNamespaced = true): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, ...(isNamespaced ? { namespace: operatorNamespace } : {}), labels, annotations },
  ...rest,
})

const kindOf = (device: string): string => `${device[0]?.toUpperCase()}${device.slice(1)}DevicePlugin`
export const pluginKind = (device: string): GroupVersionResource => ({ group, version: 'v1', resource: `${device}deviceplugins` })

function definition(device: string): KubeObject {
  const plural = `${device}deviceplugins`
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: { kind: kindOf(device), listKind: `${kindOf(device)}List`, plural, singular: `${device}deviceplugin` },
      scope: 'Cluster',
      versions: [{ name: 'v1', served: true, storage: true, schema, subresources: { status: {} } }],
    },
  }
}

/** An object of the operator. */
export const pluginObject = (device: string, name: string, spec: object): KubeObject => ({
  apiVersion: `${group}/v1`,
  kind: kindOf(device),
  metadata: { name },
  spec: { image: `intel/intel-${device}-plugin:0.36.0`, logLevel: 2, ...spec },
})

/** What the operator's chart 0.36 leaves in a cluster, and Helm's own record of it. */
export function operatorInstallation(): readonly KubeObject[] {
  const selector = { 'control-plane': 'controller-manager' }
  const subjects = [{ kind: 'ServiceAccount', name: 'default', namespace: operatorNamespace }]
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'inteldeviceplugins-manager-role' }
  const rbac = 'rbac.authorization.k8s.io/v1'
  const webhooks = [
    {
      name: 'mgpudeviceplugin.kb.io',
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      failurePolicy: 'Ignore',
      clientConfig: { service: { name: 'inteldeviceplugins-webhook-service', namespace: operatorNamespace, path: '/mutate' } },
      rules: [{ apiGroups: [group], apiVersions: ['v1'], operations: ['CREATE'], resources: ['gpudeviceplugins'] }],
    },
  ]
  return [
    ...['gpu', 'npu', 'qat'].map(definition),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: operatorNamespace } },
    of(rbac, 'ClusterRole', 'inteldeviceplugins-manager-role', { rules: [] }, false),
    of(rbac, 'ClusterRoleBinding', 'inteldeviceplugins-manager-rolebinding', { subjects, roleRef }, false),
    of('v1', 'Service', 'inteldeviceplugins-webhook-service', { spec: { selector, ports: [{ port: 443, targetPort: 9443 }] } }),
    of('admissionregistration.k8s.io/v1', 'MutatingWebhookConfiguration', 'inteldeviceplugins-mutating', { webhooks }, false),
    of('apps/v1', 'Deployment', operatorName, {
      spec: {
        replicas: 1,
        selector: { matchLabels: selector },
        template: {
          metadata: { labels: selector },
          spec: {
            containers: [{ name: 'manager', image: 'intel/intel-deviceplugin-operator:0.36.0', args: ['--leader-elect'] }],
          },
        },
      },
    }),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: 'sh.helm.release.v1.dp.v1',
        namespace: operatorNamespace,
        labels: { owner: 'helm', name: 'dp', status: 'deployed' },
      },
      type: 'helm.sh/release.v1',
    },
  ]
}

/** A DaemonSet of the GPU plugin, as upstream's manifests have it without an operator. */
export function plainPlugin(args: readonly string[], namespace = 'kube-system', device = 'gpu'): KubeObject {
  const name = `intel-${device}-plugin`
  const container = { name, image: `intel/${name}:0.36.0`, args }
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace, labels: { app: name } },
    spec: {
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { nodeSelector: { [gpuLabel]: 'true' }, containers: [container] } },
    },
  }
}

/** A DaemonSet of AMD's plugin, as its manifests have it. */
export function amdPluginSet(args: readonly string[]): KubeObject {
  const labels = { name: 'amdgpu-dp-ds' }
  const container = { name: 'amdgpu-dp-cntr', image: 'rocm/k8s-device-plugin', command: ['./k8s-device-plugin'], args }
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'amdgpu-device-plugin-daemonset', namespace: 'kube-system' },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { nodeSelector: { [gpuLabel]: 'true' }, containers: [container] } },
    },
  }
}

/** Whose plugins stand here, and what nodes have by them. */
export interface Vendor {
  /** For `migrate`. */
  readonly upstream: string
  readonly resource: string
  readonly perNode: number
  /** The label of upstream's pods. */
  readonly label: readonly [key: string, value: string]
  /** How many ours offer, by their section; none where it is off. */
  readonly ownCount: (section: unknown) => number
}

const isOn = (section: unknown, key: string): boolean => at(section, key, 'enabled') !== false

export const intel: Vendor = {
  upstream: 'intel-device-plugins',
  resource: card,
  perNode: shares,
  label: ['app', 'intel-gpu-plugin'],
  ownCount: section => (isOn(section, 'gpu') ? Number(at(section, 'gpu', 'sharedDevNum') ?? 1) : 0),
}
export const amd: Vendor = {
  upstream: 'amd-device-plugin',
  resource: 'amd.com/gpu',
  perNode: 2,
  label: ['name', 'amdgpu-dp-ds'],
  ownCount: section => (isOn(section, 'amd') ? 2 : 0),
}

/** A node with devices. */
function withDevices(name: string, { resource, perNode }: Vendor): KubeObject {
  const plain = node(name) as Node
  const amounts = { ...Object(plain.status).allocatable, [resource]: String(perNode) }
  return {
    ...plain,
    metadata: { ...plain.metadata, labels: { ...plain.metadata.labels, 'kubernetes.io/os': 'linux', [gpuLabel]: 'true' } },
    status: { ...Object(plain.status), allocatable: amounts, capacity: amounts },
  }
}

/** Pods that hold devices. */
const players = (resource: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'player', namespace: 'default' },
  spec: {
    replicas: 4,
    selector: { matchLabels: { app: 'player' } },
    template: {
      metadata: { labels: { app: 'player' } },
      spec: { containers: [{ name: 'player', image: 'registry.example/player:1', resources: { limits: { [resource]: '1' } } }] },
    },
  },
})

export class DevicesSite implements AsyncDisposable {
  readonly swap: SwapSite
  readonly #vendor: Vendor
  /** Moments at which a node had less, and pods that were restarted. */
  readonly lost = new Set<string>()
  /** Ours find no device on this node, though they are ready. */
  blindOn: string | undefined
  #players: readonly string[] = []
  #isOver = false

  private constructor(swap: SwapSite, vendor: Vendor) {
    this.swap = swap
    this.#vendor = vendor
    swap.wrapped = transport => this.#asPods(transport)
  }

  static async start(objects: readonly KubeObject[], vendor: Vendor = intel): Promise<DevicesSite> {
    const subject = { upstream: upstreamNamed(vendor.upstream), deployment: operatorName }
    const nodes = [withDevices('n1', vendor), withDevices('n2', vendor), onLinux(node('n3'))]
    const site = new DevicesSite(
      await SwapSite.start([...objects, ...nodes, players(vendor.resource)], 'stand-in', subject),
      vendor,
    )
    const standing = site.#stand()
    standing.catch(error => void site.lost.add(`the stand-in broke: ${String(error)}`))
    await site.swap.pass(60_000)
    // Until plugins ran for the first time nobody had a card.
    site.#players = site.#playersNow()
    if (site.#players.length !== 4) throw new Error(`${site.#players.length} players run`)
    return site
  }

  /** Who offers the card, by node. */
  get offering(): readonly string[] {
    return ['n1', 'n2'].flatMap(name => this.#pluginsOn(name).map(plugin => `${name} ${plugin.whose}`)).sort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.swap[Symbol.asyncDispose]()
  }

  #playersNow(): readonly string[] {
    return this.swap
      .list('pods')
      .filter(pod => pod.metadata.labels?.['app'] === 'player' && textAt(pod, 'status', 'phase') === 'Running')
      .map(({ metadata }) => `${metadata.name} ${metadata.uid}`)
      .sort()
  }

  /** Every second: the operator, then kubelets, then a look at all nodes. */
  async #stand(): Promise<void> {
    while (!this.#isOver) {
      await this.#operate()
      for (const name of ['n1', 'n2']) await this.#report(name)
      this.#look()
      await this.swap.clock.after(1_000)
    }
  }

  /** As upstream's operator: a DaemonSet an object, with its selector and settings. */
  async #operate(): Promise<void> {
    const pods = this.swap.list('pods').filter(({ metadata }) => metadata.labels?.['control-plane'] === 'controller-manager')
    if (!pods.some(pod => textAt(pod, 'status', 'phase') === 'Running' && pod.metadata.deletionTimestamp === undefined)) return
    for (const device of ['gpu', 'npu'])
      for (const object of this.swap.list(`${device}deviceplugins.${group}`)) await this.#reconcile(device, object)
  }

  async #reconcile(device: string, object: KubeObject): Promise<void> {
    const { name, uid = '' } = object.metadata
    const sets = this.swap.list('daemonsets.apps')
    const found = sets.find(({ metadata }) => (metadata.ownerReferences ?? []).some(owner => owner.uid === uid))
    const spec = Object(object['spec'])
    const args = ['-v', '2', '-shared-dev-num', String(spec.sharedDevNum ?? 1)]
    const nodeSelector = spec.nodeSelector ?? { 'kubernetes.io/os': 'linux' }
    const api = this.swap.admin.resource<KubeObject>(builtIn.daemonsets)
    const options = { namespace: operatorNamespace, signal }
    if (found === undefined) {
      const made = plainPlugin(args, operatorNamespace, device)
      const owner = { apiVersion: `${group}/v1`, kind: object.kind, name, uid, controller: true, blockOwnerDeletion: true }
      const metadata = { ...made.metadata, name: `intel-${device}-plugin-${name}`, ownerReferences: [owner] }
      const template = { ...Object(made['spec']).template, spec: { ...Object(made['spec']).template.spec, nodeSelector } }
      const selector = { matchLabels: { app: made.metadata.name, of: name } }
      template.metadata = { labels: selector.matchLabels }
      await api.create({ ...made, metadata, spec: { selector, template } }, options)
      return
    }
    const pod = at(found, 'spec', 'template', 'spec')
    if (JSON.stringify(at(pod, 'nodeSelector')) === JSON.stringify(nodeSelector)) return
    const template = { ...Object(found['spec']).template, spec: { ...Object(pod), nodeSelector } }
    try {
      await api.update({ ...found, spec: { ...Object(found['spec']), template } }, options)
    } catch (error) {
      // It is reconciled again in a second.
      if (!isConflict(error) && !isNotFound(error)) throw error
    }
  }

  /** Pods that offer the card, the newest last. */
  #pluginsOn(name: string) {
    return this.swap
      .list('pods')
      .filter(pod => textAt(pod, 'spec', 'nodeName') === name && textAt(pod, 'status', 'phase') === 'Running')
      .flatMap(pod => {
        const whose = this.#whoseIs(pod)
        if (whose === undefined || (whose === 'ours' && this.#vendor.ownCount(this.#ownSection()) === 0)) return []
        if (whose === 'ours' && this.blindOn === name) return []
        return [{ whose, pod, startedAt: textAt(pod, 'status', 'startTime') ?? '' }]
      })
      .toSorted((a, b) => (a.startedAt < b.startedAt ? -1 : 1))
  }

  /** The newest plugin says how many there are; without one the kubelet counts none. */
  async #report(name: string): Promise<void> {
    const newest = this.#pluginsOn(name).at(-1)
    const { resource } = this.#vendor
    const count =
      newest === undefined
        ? 0
        : newest.whose === 'ours'
          ? this.#vendor.ownCount(this.#ownSection())
          : this.#theirCount(newest.pod)
    const found = this.swap.find('nodes', name)
    if (textAt(found, 'status', 'allocatable', resource) === String(count)) return
    const body = { status: { allocatable: { [resource]: String(count) }, capacity: { [resource]: String(count) } } }
    await this.swap.admin.resource(builtIn.nodes).patch(name, { type: 'merge', body }, { signal, subresource: 'status' })
  }

  #ownSection(): unknown {
    const file = this.swap
      .list('configmaps')
      .find(({ metadata }) => metadata.name === 'ballast-config' && metadata.namespace === 'ballast-agent')
    return at(parse(textAt(file, 'data', 'config.yaml') ?? ''), 'capabilities', 'devices')
  }

  #theirCount(pod: KubeObject): number {
    return this.#vendor === intel ? sharesOf(pod) : this.#vendor.perNode
  }

  #whoseIs(pod: KubeObject): 'upstream' | 'ours' | undefined {
    const [key, value] = this.#vendor.label
    if (pod.metadata.labels?.[key] === value) return 'upstream'
    return listAt(pod, 'spec', 'containers').some(container => listAt(container, 'args').includes('--role=devices'))
      ? 'ours'
      : undefined
  }

  #look(): void {
    if (this.#players.length === 0) return
    for (const name of ['n1', 'n2']) {
      const { resource, perNode } = this.#vendor
      const has = textAt(this.swap.find('nodes', name), 'status', 'allocatable', resource)
      if (has !== String(perNode)) this.lost.add(`${name} has ${String(has)}`)
    }
    const now = this.#playersNow()
    if (now.join() !== this.#players.join()) this.lost.add(`players were ${this.#players.join()}, and are ${now.join()}`)
  }

  /** Our pods answer by the API server's proxy. */
  #asPods(inner: Transport): Transport {
    return {
      request: request => inner.request(request),
      stream: async request => {
        const [, name] = /^\/api\/v1\/namespaces\/ballast-agent\/pods\/([^/:]+):8083\/proxy\/readyz$/.exec(request.path) ?? []
        if (name === undefined) return inner.stream(request)
        const { status, headers, body } = answer(this.#readiness(name))
        return { status, headers, chunks: onePiece(body) }
      },
      close: () => inner.close(),
    }
  }

  #readiness(name: string): string {
    const pod = this.swap.list('pods').find(({ metadata }) => metadata.name === name)
    const on = textAt(pod, 'spec', 'nodeName')
    const isBlind = on === undefined || on === 'n3' || on === this.blindOn || this.#vendor.ownCount(this.#ownSection()) === 0
    return `[+]devices ok: 1 devices\n${isBlind ? '' : `[+]device-plugin-${this.#vendor.resource} ok: registered\n`}readyz check passed\n`
  }
}

function onLinux(object: KubeObject): KubeObject {
  return { ...object, metadata: { ...object.metadata, labels: { ...object.metadata.labels, 'kubernetes.io/os': 'linux' } } }
}

function sharesOf(pod: KubeObject): number {
  const words = listAt(pod, 'spec', 'containers').flatMap(container => listAt(container, 'args').map(String))
  const text = /shared-dev-num[= ](\d+)/.exec(words.join(' '))?.[1]
  return text === undefined ? 1 : Number(text)
}

/** So many pods of a Deployment are ready. */
export const readyOf = (site: DevicesSite, name: string): number =>
  numberAt(site.swap.find('deployments.apps', name), 'status', 'readyReplicas') ?? 0

function answer(text: string): TransportResponse {
  return { status: 200, headers: { 'content-type': 'text/plain' }, body: Buffer.from(text) }
}

async function* onePiece(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body
}
