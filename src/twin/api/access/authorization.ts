// RBAC: what a user may do is the union of the rules of all roles bound to them. `system:masters` may do everything.
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, itemsAt, listAt, textAt } from '../../json-value.ts'
import type { Store } from '../../store.ts'
import type { User } from '../api-server.ts'
import type { PathRequest } from '../request.ts'

/** What is to be allowed: RBAC's attributes of a request on a resource. */
interface ResourceAttributes {
  readonly kind: 'resource'
  readonly verb: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly subresource: string | undefined
}

export type Attributes = ResourceAttributes | PathRequest

/** A rule that applies to a user, and why. */
interface AppliedRule {
  readonly rule: Draft
  readonly reason: string
}

export class Authorizer {
  readonly #store: Store
  readonly #mode: 'RBAC' | 'AlwaysAllow'

  constructor(store: Store, mode: 'RBAC' | 'AlwaysAllow') {
    this.#store = store
    this.#mode = mode
  }

  allows(user: User, attributes: Attributes): boolean {
    return this.decide(user, attributes).isAllowed
  }

  /** Whether and why `user` may do it; the reason is empty where nothing allows it. */
  decide(user: User, attributes: Attributes): { readonly isAllowed: boolean; readonly reason: string } {
    if (this.#mode === 'AlwaysAllow' || user.groups.includes('system:masters')) return { isAllowed: true, reason: '' }
    const namespace = attributes.kind === 'resource' ? attributes.namespace : undefined
    for (const { rule, reason } of this.rulesOf(user, namespace)) if (covers(rule, attributes)) return { isAllowed: true, reason }
    return { isAllowed: false, reason: '' }
  }

  /** Every rule bound to the user, cluster-wide and in the namespace. */
  *rulesOf(user: User, namespace: string | undefined): Generator<AppliedRule> {
    for (const binding of this.#store.list('clusterrolebindings.rbac.authorization.k8s.io')) {
      const subject = subjectOf(binding, user, undefined)
      if (subject === undefined) continue
      const role = this.#store.get('clusterroles.rbac.authorization.k8s.io', undefined, textAt(binding, 'roleRef', 'name') ?? '')
      const reason = `RBAC: allowed by ClusterRoleBinding "${binding.metadata.name}" of ClusterRole "${textAt(binding, 'roleRef', 'name') ?? ''}" to ${subject}`
      for (const rule of itemsAt(role, 'rules')) yield { rule, reason }
    }
    if (namespace === undefined) return
    for (const binding of this.#store.list('rolebindings.rbac.authorization.k8s.io', namespace)) {
      const subject = subjectOf(binding, user, namespace)
      if (subject === undefined) continue
      const kind = textAt(binding, 'roleRef', 'kind') ?? ''
      const name = textAt(binding, 'roleRef', 'name') ?? ''
      const reason = `RBAC: allowed by RoleBinding "${binding.metadata.name}/${namespace}" of ${kind} "${name}" to ${subject}`
      for (const rule of this.rulesOfRole(kind, name, namespace) ?? []) yield { rule, reason }
    }
  }

  /** The rules of a role that a binding in `namespace` names; undefined where it is not there. */
  rulesOfRole(kind: string, name: string, namespace: string | undefined): readonly Draft[] | undefined {
    const role =
      kind === 'ClusterRole'
        ? this.#store.get('clusterroles.rbac.authorization.k8s.io', undefined, name)
        : this.#store.get('roles.rbac.authorization.k8s.io', namespace, name)
    return role === undefined ? undefined : itemsAt(role, 'rules')
  }
}

/** How the binding names the user, as reasons print it; undefined when it does not. */
function subjectOf(binding: KubeObject, user: User, namespace: string | undefined): string | undefined {
  for (const subject of itemsAt(binding, 'subjects')) {
    const name = textAt(subject, 'name') ?? ''
    switch (subject['kind']) {
      case 'User':
        if (name === user.name) return `User "${name}"`
        break
      case 'Group':
        if (user.groups.includes(name)) return `Group "${name}"`
        break
      case 'ServiceAccount': {
        const place = textAt(subject, 'namespace') ?? namespace ?? ''
        if (user.name === `system:serviceaccount:${place}:${name}`) return `ServiceAccount "${name}/${place}"`
        break
      }
      default:
    }
  }
  return undefined
}

/** Whether one rule allows it. */
function covers(rule: Draft, attributes: Attributes): boolean {
  if (!includes(rule, 'verbs', attributes.verb)) return false
  if (attributes.kind === 'path')
    return listAt(rule, 'nonResourceURLs').some(pattern => matchesPath(String(pattern), attributes.path))
  return includes(rule, 'apiGroups', attributes.group) && coversResource(rule, attributes) && coversName(rule, attributes.name)
}

function includes(rule: Draft, list: string, value: string): boolean {
  return listAt(rule, list).some(item => item === '*' || item === value)
}

function coversResource(rule: Draft, { resource, subresource }: ResourceAttributes): boolean {
  const wanted = subresource === undefined ? resource : `${resource}/${subresource}`
  return listAt(rule, 'resources').some(
    item => item === '*' || item === wanted || (subresource !== undefined && item === `*/${subresource}`),
  )
}

function coversName(rule: Draft, name: string | undefined): boolean {
  const names = listAt(rule, 'resourceNames')
  return names.length === 0 || (name !== undefined && names.includes(name))
}

function matchesPath(pattern: string, path: string): boolean {
  return pattern === path || (pattern.endsWith('*') && path.startsWith(pattern.slice(0, -1)))
}
