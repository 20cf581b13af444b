// Roles made from what enabled capabilities say they need and may: nobody writes a rule by hand.
import { builtIn } from '#kube/objects/resource.ts'
import { certificateRights, type InjectedPlace } from '#kube/server/certificate-rights.ts'
import { delegationRights } from '#kube/server/delegation-rights.ts'
import { ballastGroup, disruptionPermits } from './api.ts'
import { type Capability, needsOf, type Part, permissionsOf } from './capability.ts'
import type { Need, Permission } from './needs.ts'
import { pastEventsPermission } from './observed/past-events.ts'
import { apiServicesOf, leaderSlice, leadingPorts } from './part-hosts.ts'

interface PolicyRule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

interface Rights {
  readonly cluster: readonly PolicyRule[]
  /** By namespace; `''` stands for our own, `agentPlace` for that of the pods on nodes. */
  readonly namespaces: ReadonlyMap<string, readonly PolicyRule[]>
}

interface RightsOptions {
  /** Parts of this trust only: they share the ServiceAccount. */
  readonly trust: string
  /** The process elects a leader by Lease. */
  readonly elects: boolean
  /** By capability, as its schema gave it; for one that is left out its defaults count. */
  readonly configurations?: Readonly<Record<string, unknown>>
}

type AnyPart = Part<unknown>

const own = ''
/** Stands for the namespace of our pods on nodes: no namespace is called so. */
export const agentPlace = ':agents'
/**
 * Where the certificates of our webhooks, and of our APIs, are kept in our own namespace: one Secret for each trust, so that neither holds the
 * other's keys.
 */
export const certificateSecrets = { core: 'ballast-tls', edge: 'ballast-apiserver-tls' } as const

/** What wants to know by which authority our webhooks and APIs are to be judged. */
export function certificatePlaces(parts: readonly AnyPart[]): readonly InjectedPlace[] {
  const mutating = parts
    .flatMap(({ listeners }) => listeners)
    .flatMap(listener => (listener.kind === 'webhook' && listener.mutates ? [listener] : []))
  const webhooksOf = (configuration: string) =>
    new Set(mutating.filter(one => one.configuration === configuration).map(({ name }) => name))
  const names = mutating.flatMap(({ configuration }) => configuration ?? [])
  const services = apiServicesOf(parts).map(({ group, version }) => `${version}.${group}`)
  return [
    ...[...new Set(names)]
      .sort()
      .map(name => ({ resource: builtIn.mutatingwebhookconfigurations, name, webhooks: [...webhooksOf(name)].sort() })),
    ...[...new Set(services)].sort().map(name => ({ resource: apiServices, name })),
  ]
}

const apiServices = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' } as const

/** One verb on one resource, at one place: what roles are made of. */
export interface Right {
  /** `cluster`, a namespace, `''` for our own, or `agentPlace`. */
  readonly place: string
  readonly group: string
  readonly resource: string
  /** Only objects of these names; empty: all. */
  readonly names: readonly string[]
  readonly verb: string
}

/** Every right of the ServiceAccount of one trust: those of its parts, and of the process around them. Same input, same order. */
export function grantsOf(capabilities: readonly Capability[], options: RightsOptions): readonly Right[] {
  const collected = new RightCollection()
  const enabled = capabilities.flatMap(capability =>
    capability.parts.filter(part => part.trust === options.trust).map(part => ({ capability, part })),
  )
  for (const { capability, part } of enabled)
    collectPart(collected, part, options.configurations?.[capability.name] ?? capability.config.parse({}))
  if (enabled.some(({ part }) => part.process !== 'node'))
    collected.add('cluster', { groups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] })
  if (options.elects) collectElection(collected, enabled, options.trust)
  const parts = enabled.map(({ part }) => part)
  if (apiServicesOf(parts).length > 0) {
    for (const right of delegationRights.cluster) collected.add('cluster', right)
    for (const right of delegationRights.placed) collected.add(delegationRights.place, right)
  }
  if (options.trust === 'edge' && leadingPorts(parts).length > 0) {
    const on = { groups: ['discovery.k8s.io'], resources: ['endpointslices'] }
    collected.add(own, { ...on, verbs: ['create'] })
    collected.add(own, { ...on, names: [leaderSlice], verbs: ['get', 'update', 'delete'] })
  }
  const places = certificatePlaces(parts)
  if (places.length > 0) {
    const rights = certificateRights(options.trust === 'edge' ? certificateSecrets.edge : certificateSecrets.core, places)
    for (const right of rights.own) collected.add(own, right)
    for (const right of rights.cluster) collected.add('cluster', right)
  }
  const arbitrates = enabled.some(
    ({ capability, part }) => part.process === 'controller' && part.presence === 'leading' && capability.disrupts.length > 0,
  )
  if (arbitrates) {
    const { resource } = disruptionPermits
    collected.add('cluster', {
      groups: [ballastGroup],
      resources: [resource],
      verbs: ['create', 'delete', 'get', 'list', 'patch', 'watch'],
    })
    collected.add('cluster', { groups: [ballastGroup], resources: [`${resource}/status`], verbs: ['patch', 'update'] })
    collected.add('cluster', pastEventsPermission)
  }
  return collected.rights()
}

/** The rights of one part alone, with `config`: what it watches, and what it may besides. */
export function partRights<Config>(part: Pick<Part<Config>, 'needs' | 'permissions'>, config: Config): readonly Right[] {
  const collected = new RightCollection()
  collectPart(collected, part, config)
  return collected.rights()
}

/** The rights as rules, by place. */
export function rightsOf(capabilities: readonly Capability[], options: RightsOptions): Rights {
  const rights = grantsOf(capabilities, options)
  const at = (place: string) => rulesOf(rights.filter(right => right.place === place))
  const places = [...new Set(rights.map(({ place }) => place))].filter(place => place !== 'cluster').sort()
  return { cluster: at('cluster'), namespaces: new Map(places.map(place => [place, at(place)])) }
}

function collectElection(
  collected: RightCollection,
  enabled: readonly { readonly capability: Capability; readonly part: AnyPart }[],
  trust: string,
): void {
  collected.add(own, { groups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'get', 'update'] })
  // Who leads is told beside the Lease, also where there are rights in some namespaces only.
  collected.add(own, { groups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] })
  // How each capability stands is written down by whoever leads; a name cannot bound who may create.
  if (trust === 'core' || enabled.length > 0) {
    collected.add(own, { groups: [''], resources: ['configmaps'], verbs: ['create'] })
    collected.add(own, { groups: [''], resources: ['configmaps'], names: ['ballast-status'], verbs: ['get', 'patch'] })
  }
  const leading = enabled.filter(({ part }) => part.presence === 'leading')
  const names = [...new Set(leading.flatMap(({ capability }) => capability.replaces.flatMap(({ leases }) => leases)))]
  if (names.length === 0) return
  // An upstream's Lease may lie in any namespace: it is looked for by its name. Others' are never read one by one, nor written.
  const on = { groups: ['coordination.k8s.io'], resources: ['leases'] }
  collected.add('cluster', { ...on, verbs: ['create', 'list'] })
  for (const name of names) collected.add('cluster', { ...on, names: [name], verbs: ['get', 'update'] })
}

function collectPart<Config>(
  collected: RightCollection,
  part: Pick<Part<Config>, 'needs' | 'permissions'>,
  config: Config,
): void {
  for (const need of needsOf(part, config)) for (const place of placesOf(need)) collected.add(place, readRule(need))
  for (const permission of permissionsOf(part, config)) for (const place of placesOf(permission)) collected.add(place, permission)
}

function placesOf({ scope = 'cluster' }: Pick<Need, 'scope'>): readonly string[] {
  if (typeof scope === 'object') return scope.namespaces
  return [{ cluster: 'cluster', 'own-namespace': own, 'agent-namespace': agentPlace }[scope]]
}

function readRule(need: Need): Grant {
  return { groups: [need.group], resources: [need.resource], verbs: ['get', 'list', 'watch'] }
}

type Grant = Pick<Permission, 'groups' | 'resources' | 'names'> & { readonly verbs: readonly string[] }

/** Verbs that no name can bound: the server does not know one yet, or there are many. */
const namelessVerbs: ReadonlySet<string> = new Set(['create', 'deletecollection'])

/** Rights by what they are on, each once. */
class RightCollection {
  readonly #rights = new Map<string, Right>()

  add(place: string, grant: Grant): void {
    for (const group of grant.groups)
      for (const resource of grant.resources)
        for (const verb of grant.verbs) {
          const names = namelessVerbs.has(verb) ? [] : [...(grant.names ?? [])].sort()
          const right = { place, group, resource, names, verb }
          this.#rights.set(JSON.stringify(right), right)
        }
  }

  /** In order, without those that another implies. */
  rights(): readonly Right[] {
    const isImplied = (right: Right) =>
      right.names.length > 0 && this.#rights.has(JSON.stringify({ ...right, names: [] } satisfies Right))
    return [...this.#rights]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, right]) => right)
      .filter(right => !isImplied(right))
  }
}

/** As few rules as say the same: each resource once with the union of its verbs, resources of equal verbs together. */
function rulesOf(rights: readonly Right[]): readonly PolicyRule[] {
  const verbs = new Map<string, Right & { readonly verbs: Set<string> }>()
  for (const right of rights) {
    const key = JSON.stringify([right.group, right.resource, right.names])
    const known = verbs.get(key) ?? { ...right, verbs: new Set<string>() }
    known.verbs.add(right.verb)
    verbs.set(key, known)
  }
  const together = new Map<string, { readonly of: Right; readonly verbs: readonly string[]; readonly resources: string[] }>()
  for (const [, of] of [...verbs].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const sorted = [...of.verbs].sort()
    const rule = JSON.stringify([of.group, of.names, sorted])
    const known = together.get(rule)
    if (known === undefined) together.set(rule, { of, verbs: sorted, resources: [of.resource] })
    else known.resources.push(of.resource)
  }
  return Array.from(together.values(), ({ of, resources, verbs: sorted }) => ({
    apiGroups: [of.group],
    resources,
    ...(of.names.length === 0 ? {} : { resourceNames: of.names }),
    verbs: sorted,
  }))
}
