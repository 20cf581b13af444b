// Reads from a live cluster what the checks look at, and no more: metadata where that is enough, single objects where a name is known.
import { gunzipSync } from 'node:zlib'
import type { Api } from '#kube/api.ts'
import type { KubeObject } from '#kube/objects.ts'
import { apiVersionOf, builtIn, type GroupVersionResource, resourceKey } from '#kube/resource.ts'
import { isForbidden, isNotFound, StatusError } from '#kube/status.ts'
import { listAt, textAt } from './facts.ts'
import { upstreams } from './upstreams.ts'

interface GatherOptions {
  readonly api: Api
  readonly signal: AbortSignal
  /** Read Helm's release Secrets, too. */
  readonly helmSecrets: boolean
}

interface Gathered {
  readonly objects: readonly KubeObject[]
  readonly unread: readonly { readonly kind: string; readonly why: string }[]
}

const apiServices: GroupVersionResource = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' }
const helmReleases: GroupVersionResource = { group: 'helm.toolkit.fluxcd.io', version: 'v2', resource: 'helmreleases' }
const rollouts: GroupVersionResource = { group: 'argoproj.io', version: 'v1alpha1', resource: 'rollouts' }

/** Read whole: their specs are judged. */
const whole: readonly GroupVersionResource[] = [
  builtIn.deployments,
  builtIn.daemonsets,
  builtIn.statefulsets,
  builtIn.cronjobs,
  builtIn.nodes,
  builtIn.poddisruptionbudgets,
  builtIn.priorityclasses,
  builtIn.customresourcedefinitions,
  builtIn.mutatingwebhookconfigurations,
  builtIn.validatingwebhookconfigurations,
  builtIn.clusterrolebindings,
  builtIn.rolebindings,
  apiServices,
  helmReleases,
  rollouts,
]

/** Beyond this a release's manifest is not looked into. */
const largestManifestBytes = 64 * 1024 * 1024

/** Everything that the checks need of `api`'s cluster. Kinds that are not served are absent; those that may not be read are named. */
export async function gatherCluster(options: GatherOptions): Promise<Gathered> {
  const { signal } = options
  const reader = new Reader(options)
  await reader.lists([
    ...whole.map(resource => ({ resource })),
    // Everything that waits to be scheduled: gates stand only there.
    { resource: builtIn.pods, fieldSelector: 'status.phase=Pending' },
    // Nodes have one each.
    { resource: builtIn.leases, fieldSelector: 'metadata.namespace!=kube-node-lease', isOfInterest: isKnownLease },
  ])
  await reader.lists([
    ...servicesBehind(reader.objects).map(([namespace, names]) => ({
      resource: builtIn.endpointslices,
      namespace,
      labelSelector: `kubernetes.io/service-name in (${names.join(',')})`,
    })),
    ...foreignKinds(reader.objects).map(resource => ({ resource, metadataOnly: true })),
  ])
  await readRoles(reader)
  if (options.helmSecrets) await readReleases(reader)
  signal.throwIfAborted()
  return { objects: reader.objects, unread: reader.unread }
}

const knownLeases: ReadonlySet<string> = new Set(['ballast-controller', ...upstreams.flatMap(({ leases }) => leases)])

function isKnownLease({ metadata }: KubeObject): boolean {
  return knownLeases.has(metadata.name)
}

interface ListWish {
  readonly resource: GroupVersionResource
  readonly namespace?: string
  readonly fieldSelector?: string
  readonly labelSelector?: string
  readonly metadataOnly?: boolean
  /** Others are forgotten as their page comes. */
  readonly isOfInterest?: (object: KubeObject) => boolean
}

interface GetWish {
  readonly resource: GroupVersionResource
  readonly kind: string
  readonly name: string
  readonly namespace: string | undefined
}

/** So many answers are awaited at once: neither side has all of a big cluster in its hands. */
const mostAtOnce = 4

class Reader {
  readonly #options: GatherOptions
  readonly objects: KubeObject[] = []
  readonly unread: { kind: string; why: string }[] = []

  constructor(options: GatherOptions) {
    this.#options = options
  }

  /** Several at once; objects come in the order of the wishes. */
  async lists(wishes: readonly ListWish[]): Promise<void> {
    const found = await this.#inTurn(wishes.map(wish => () => this.list(wish)))
    this.objects.push(...found.flat())
  }

  /** Objects by their names. */
  async gets(wanted: readonly GetWish[]): Promise<void> {
    const found = await this.#inTurn(wanted.map(one => () => this.#get(one)))
    this.objects.push(...found.flat())
  }

  async #inTurn<T>(reads: readonly (() => Promise<T>)[]): Promise<readonly T[]> {
    const results = new Map<number, T>()
    const left = [...reads.entries()]
    const lane = async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) results.set(next[0], await next[1]())
    }
    await Promise.all(Array.from({ length: mostAtOnce }, lane))
    return [...results].toSorted(([a], [b]) => a - b).map(([, result]) => result)
  }

  async list({ resource, isOfInterest = () => true, ...wish }: ListWish): Promise<readonly KubeObject[]> {
    const { api, signal } = this.#options
    const found: KubeObject[] = []
    try {
      for await (const page of api.resource(resource).pages({ ...wish, signal })) {
        // Items of a list carry neither apiVersion nor kind.
        const kind = wish.metadataOnly === true ? resource.resource : page.kind.replace(/List$/, '')
        for (const item of page.items) if (isOfInterest(item)) found.push({ ...item, apiVersion: apiVersionOf(resource), kind })
      }
    } catch (error) {
      this.#skip(resourceKey(resource), error)
    }
    return found
  }

  async #get({ resource, kind, name, namespace }: GetWish): Promise<readonly KubeObject[]> {
    const { api, signal } = this.#options
    try {
      const object = await api.resource(resource).get(name, { namespace, signal })
      return [{ ...object, apiVersion: apiVersionOf(resource), kind }]
    } catch (error) {
      this.#skip(resourceKey(resource), error)
      return []
    }
  }

  #skip(kind: string, error: unknown): void {
    if (isNotFound(error)) return
    // Anything else is the whole cluster's trouble, not a kind's.
    if (!isForbidden(error) && !(error instanceof StatusError && error.code >= 500)) throw error
    if (!this.unread.some(one => one.kind === kind)) this.unread.push({ kind, why: error.message })
  }
}

/** Of each namespace, the names of Services that an API or a webhook points to. */
function servicesBehind(objects: readonly KubeObject[]): readonly (readonly [string, readonly string[]])[] {
  const services = objects.flatMap(object => {
    if (object.kind === 'APIService') return [textPair(object, ['spec', 'service'])]
    if (!object.kind.endsWith('WebhookConfiguration')) return []
    return listAt(object, 'webhooks').map(webhook => textPair(webhook, ['clientConfig', 'service']))
  })
  const known = services.filter(pair => pair !== undefined)
  const byNamespace = Map.groupBy(known, ([namespace]) => namespace)
  return Array.from(byNamespace, ([namespace, pairs]) => [namespace, [...new Set(pairs.map(([, name]) => name))]] as const)
}

function textPair(value: unknown, path: readonly string[]): readonly [string, string] | undefined {
  const namespace = textAt(value, ...path, 'namespace')
  const name = textAt(value, ...path, 'name')
  return namespace === undefined || name === undefined ? undefined : [namespace, name]
}

/** Kinds of upstreams that leave finalizers, which alone are looked at, and of our own. */
function foreignKinds(objects: readonly KubeObject[]): readonly GroupVersionResource[] {
  const groups = ['ballast.dev', ...upstreams.flatMap(({ groups: own, finalizers }) => (finalizers.length > 0 ? own : []))]
  return objects
    .filter(({ kind }) => kind === 'CustomResourceDefinition')
    .flatMap(definition => {
      const group = textAt(definition, 'spec', 'group') ?? ''
      const resource = textAt(definition, 'spec', 'names', 'plural')
      const version = listAt(definition, 'spec', 'versions').find(one => Reflect.get(Object(one), 'served') === true)
      const name = textAt(version, 'name')
      const isKnown = groups.some(one => group === one || group.endsWith(`.${one}`))
      return isKnown && resource !== undefined && name !== undefined ? [{ group, version: name, resource }] : []
    })
}

/** The roles that bindings of Ballast's ServiceAccounts name. */
async function readRoles(reader: Reader): Promise<void> {
  const bindings = reader.objects.filter(
    object =>
      (object.kind === 'ClusterRoleBinding' || object.kind === 'RoleBinding') &&
      listAt(object, 'subjects').some(subject => (textAt(subject, 'name') ?? '').includes('ballast')),
  )
  const roles = bindings.map(binding => {
    const kind = textAt(binding, 'roleRef', 'kind') ?? ''
    const namespace = kind === 'Role' ? binding.metadata.namespace : undefined
    const resource = kind === 'Role' ? builtIn.roles : builtIn.clusterroles
    return { resource, kind, name: textAt(binding, 'roleRef', 'name') ?? '', namespace }
  })
  const once = new Map(roles.map(role => [`${role.kind} ${role.namespace ?? ''}/${role.name}`, role]))
  await reader.gets([...once.values()])
}

/** The newest stored manifest of each release, as an object of its own kind; the Secrets themselves are not kept. */
async function readReleases(reader: Reader): Promise<void> {
  const secrets = await reader.list({ resource: builtIn.secrets, labelSelector: 'owner=helm,status=deployed' })
  for (const secret of secrets) {
    const release = decodedRelease(textAt(secret, 'data', 'release') ?? '')
    const name = secret.metadata.labels?.['name']
    if (release === undefined || name === undefined) continue
    reader.objects.push({
      apiVersion: 'cli.ballast.dev/v1',
      kind: 'HelmReleaseRecord',
      metadata: { name, ...(secret.metadata.namespace === undefined ? {} : { namespace: secret.metadata.namespace }) },
      ...release,
    })
  }
}

/** Helm's own packing: JSON, gzip, base64, and base64 once more as any Secret. */
function decodedRelease(
  data: string,
): { readonly chart: string; readonly version: string; readonly manifest: string } | undefined {
  try {
    const packed = Buffer.from(Buffer.from(data, 'base64').toString('latin1'), 'base64')
    const release: unknown = JSON.parse(gunzipSync(packed, { maxOutputLength: largestManifestBytes }).toString('utf8'))
    const chart = textAt(release, 'chart', 'metadata', 'name')
    const version = textAt(release, 'chart', 'metadata', 'version')
    const manifest = textAt(release, 'manifest')
    return chart === undefined || version === undefined || manifest === undefined ? undefined : { chart, version, manifest }
  } catch (error) {
    // Not Helm's, or of a Helm that packs otherwise: nothing is said about it.
    if (error instanceof SyntaxError || (error instanceof Error && 'code' in error)) return undefined
    throw error
  }
}
