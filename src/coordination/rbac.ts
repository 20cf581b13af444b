// Roles made from what enabled capabilities say they need and may: nobody writes a rule by hand.
import type { KubeObject } from '#kube/objects.ts'
import { ballastGroup, disruptionPermits } from './api.ts'
import type { Capability, Need, Part, Permission } from './capability.ts'

interface PolicyRule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

interface Rights {
  readonly cluster: readonly PolicyRule[]
  /** By namespace; `''` stands for our own. */
  readonly namespaces: ReadonlyMap<string, readonly PolicyRule[]>
}

interface RightsOptions {
  /** Parts of this trust only: they share the ServiceAccount. */
  readonly trust: string
  /** The process elects a leader by Lease. */
  readonly elects: boolean
}

type AnyPart = Part<unknown>

const own = ''

/** The rights of the ServiceAccount of one trust: those of its parts, and of the process around them. Same input, same order. */
export function rightsOf(capabilities: readonly Capability[], options: RightsOptions): Rights {
  const collected = new RuleCollection()
  const enabled = capabilities.flatMap(capability =>
    capability.parts.filter(part => part.trust === options.trust).map(part => ({ capability, part })),
  )
  for (const { part } of enabled) collectPart(collected, part)
  if (enabled.some(({ part }) => part.process !== 'node'))
    collected.add('cluster', { groups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] })
  if (options.elects) {
    collected.add(own, { groups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'get', 'update'] })
    const guarded = enabled.some(
      ({ capability, part }) => part.presence === 'leading' && capability.replaces.some(({ leases }) => leases.length > 0),
    )
    if (guarded)
      collected.add('cluster', {
        groups: ['coordination.k8s.io'],
        resources: ['leases'],
        verbs: ['create', 'get', 'list', 'update'],
      })
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
  }
  return collected.rights()
}

interface AccountOptions extends RightsOptions {
  /** Name of the ServiceAccount, and of the roles: `ballast-controller`. */
  readonly name: string
  readonly namespace: string
}

/** ServiceAccount, ClusterRole, Roles and their bindings, in the order in which they are to be applied. */
export function accountObjects(capabilities: readonly Capability[], options: AccountOptions): readonly KubeObject[] {
  const { name, namespace } = options
  const rights = rightsOf(capabilities, options)
  const labels = { 'ballast.dev/managed': 'true' }
  const subjects = [{ kind: 'ServiceAccount', name, namespace }]
  const rbac = 'rbac.authorization.k8s.io/v1'
  const bound = (kind: string, role: string, at: string | undefined): KubeObject => ({
    apiVersion: rbac,
    kind,
    metadata: { name, ...(at === undefined ? {} : { namespace: at }), labels },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: role, name },
    subjects,
  })
  const inNamespaces = Array.from(rights.namespaces, ([place, rules]) => {
    const at = place === own ? namespace : place
    return [
      { apiVersion: rbac, kind: 'Role', metadata: { name, namespace: at, labels }, rules },
      bound('RoleBinding', 'Role', at),
    ]
  })
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace, labels } },
    { apiVersion: rbac, kind: 'ClusterRole', metadata: { name, labels }, rules: rights.cluster },
    bound('ClusterRoleBinding', 'ClusterRole', undefined),
    ...inNamespaces.flat(),
  ]
}

function collectPart(collected: RuleCollection, part: AnyPart): void {
  for (const need of part.needs) collected.add(need.scope === 'own-namespace' ? own : 'cluster', readRule(need))
  for (const permission of part.permissions) {
    const scope = permission.scope ?? 'cluster'
    const places = scope === 'cluster' ? ['cluster'] : scope === 'own-namespace' ? [own] : scope.namespaces
    for (const place of places) collected.add(place, permission)
  }
}

function readRule(need: Need): Grant {
  return { groups: [need.group], resources: [need.resource], verbs: ['get', 'list', 'watch'] }
}

type Grant = Pick<Permission, 'groups' | 'resources' | 'names'> & { readonly verbs: readonly string[] }

/** Rules by place, each resource once with the union of its verbs; resources of equal verbs stand together. */
class RuleCollection {
  readonly #verbs = new Map<string, Map<string, Set<string>>>()

  add(place: string, grant: Grant): void {
    const ofPlace = this.#verbs.get(place) ?? new Map<string, Set<string>>()
    this.#verbs.set(place, ofPlace)
    for (const group of grant.groups) {
      for (const resource of grant.resources) {
        const key = JSON.stringify([group, resource, [...(grant.names ?? [])].sort()])
        const verbs = ofPlace.get(key) ?? new Set<string>()
        for (const verb of grant.verbs) verbs.add(verb)
        ofPlace.set(key, verbs)
      }
    }
  }

  rights(): Rights {
    const places = [...this.#verbs.keys()].filter(place => place !== 'cluster').sort()
    return { cluster: this.#rules('cluster'), namespaces: new Map(places.map(place => [place, this.#rules(place)])) }
  }

  #rules(place: string): readonly PolicyRule[] {
    const together = new Map<string, { group: string; names: readonly string[]; verbs: readonly string[]; resources: string[] }>()
    const entries = [...(this.#verbs.get(place) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))
    for (const [key, verbSet] of entries) {
      const [group, resource, names] = JSON.parse(key) as [string, string, string[]]
      const verbs = [...verbSet].sort()
      const rule = JSON.stringify([group, names, verbs])
      const known = together.get(rule)
      if (known === undefined) together.set(rule, { group, names, verbs, resources: [resource] })
      else known.resources.push(resource)
    }
    return Array.from(together.values(), ({ group, names, verbs, resources }) => ({
      apiGroups: [group],
      resources,
      ...(names.length === 0 ? {} : { resourceNames: names }),
      verbs,
    }))
  }
}
