// Reads from a live cluster what the checks look at, and no more: metadata where that is enough, single objects where a name is known.
import { gunzipSync } from 'node:zlib'
import type { Api } from '#kube/client/api.ts'
import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { findUpstreams, isOwnPart } from '#upstreams/recognition.ts'
import { replaceable, upstreams } from '#upstreams/upstreams.ts'
import { capabilityFindings } from './capability-findings.ts'
import { ClusterReader } from './cluster-reader.ts'
import { accountOf, isOwnDeployment, ownDeployment } from './own-facts.ts'

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
  const reader = new ClusterReader(options)
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
    ...foreignKinds(reader.objects).map(resource => ({ resource, metadataOnly: !readWhole.has(nameOf(resource)) })),
  ])
  await readNetwork(reader)
  await readPolicies(reader)
  await readRoles(reader)
  if (options.helmSecrets) await readReleases(reader)
  signal.throwIfAborted()
  return { objects: reader.objects, unread: reader.unread }
}

const nameOf = ({ group, resource }: GroupVersionResource): string => `${resource}.${group}`
const readWhole: ReadonlySet<string> = new Set([...capabilityFindings.values()].flatMap(({ reads = [] }) => reads.map(nameOf)))

const networkPolicies: GroupVersionResource = { group: 'networking.k8s.io', version: 'v1', resource: 'networkpolicies' }

/** Who may reach Ballast, where it is installed, and where API servers are. */
async function readNetwork(reader: ClusterReader): Promise<void> {
  const namespace = ownDeployment(reader.objects)?.metadata.namespace
  if (namespace === undefined) return
  await reader.lists([
    { resource: networkPolicies, namespace },
    { resource: builtIn.endpointslices, namespace: 'default', labelSelector: 'kubernetes.io/service-name=kubernetes' },
  ])
}

const knownLeases: ReadonlySet<string> = new Set(['ballast-controller', ...upstreams.flatMap(({ leases }) => leases)])

function isKnownLease({ metadata }: KubeObject): boolean {
  return knownLeases.has(metadata.name)
}

/** Names of Services that an API or a webhook points to, for each namespace. */
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

/** The ConfigMaps that upstreams read, and ours in their place. */
async function readPolicies(reader: ClusterReader): Promise<void> {
  const { objects } = reader
  const places = replaceable().flatMap(upstream => {
    const { part, reads } = upstream.replaced.swap
    const theirs = findUpstreams(objects, [upstream]).map(({ workload }) => workload)
    const own = part.kind === 'process' ? objects.filter(object => isOwnPart(object, part.component)) : []
    return [...theirs, ...own].flatMap(workload => reads?.(workload) ?? [])
  })
  const once = new Map(places.map(place => [`${place.namespace}/${place.name}`, place]))
  await reader.gets(Array.from(once.values(), place => ({ resource: builtIn.configmaps, kind: 'ConfigMap', ...place })))
}

/** The roles that bindings of Ballast's ServiceAccounts name. */
async function readRoles(reader: ClusterReader): Promise<void> {
  const components = replaceable().flatMap(({ replaced: { swap } }) =>
    swap.part.kind === 'process' ? [swap.part.component] : [],
  )
  const workloads = reader.objects.filter(object => isOwnDeployment(object) || components.some(one => isOwnPart(object, one)))
  const own = new Set(workloads.map(accountOf))
  const isOurs = (account: string) => account.includes('ballast') || own.has(account)
  const bindings = reader.objects.filter(
    object =>
      (object.kind === 'ClusterRoleBinding' || object.kind === 'RoleBinding') &&
      listAt(object, 'subjects').some(subject => isOurs(textAt(subject, 'name') ?? '')),
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
async function readReleases(reader: ClusterReader): Promise<void> {
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
