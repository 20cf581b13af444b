// The rules of ClusterRoles with an `aggregationRule`: those of the roles that it selects, written into the role itself, since
// nobody but this controller reads the selectors.
import { isSame } from '../../json-value.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import type { ClusterRole } from '../kinds.ts'
import { selectorFor } from '../selectors.ts'

const resource = 'clusterroles.rbac.authorization.k8s.io'
const writer = { ...controllerWriter('clusterrole-aggregation-controller'), manager: 'clusterrole-aggregation-controller' }

export function startRoleAggregation({ access, view, loop }: ComponentContext): void {
  const queue = loop.queue('clusterrole-aggregation', name => {
    const role = view.get(resource, undefined, name)
    if (role?.aggregationRule === undefined || role.metadata.deletionTimestamp !== undefined) return
    const rules = aggregatedRules(role, view.list(resource))
    if (isSame(rules, role.rules ?? [])) return
    const { apiVersion, kind } = role
    // Rules that others own stay where there are none to put in their place.
    access.apply(resource, { apiVersion, kind, metadata: { name }, ...(rules.length === 0 ? {} : { rules }) }, writer)
  })
  const all = () => {
    for (const role of view.list(resource)) if (role.aggregationRule !== undefined) queue.add(role.metadata.name)
  }
  view.on(resource, ({ type, object, previous }) => {
    const parts = (role: ClusterRole | undefined) => [role?.rules, role?.metadata.labels, role?.aggregationRule]
    if (type !== 'MODIFIED' || !isSame(parts(object), parts(previous))) all()
  })
  all()
}

/** Each selector's roles by name, each rule once; a role is no part of itself. */
function aggregatedRules(role: ClusterRole, roles: readonly ClusterRole[]): readonly Readonly<Record<string, unknown>>[] {
  const others = roles
    .filter(({ metadata }) => metadata.name !== role.metadata.name)
    .toSorted((left, right) => (left.metadata.name < right.metadata.name ? -1 : 1))
  const rules: Readonly<Record<string, unknown>>[] = []
  for (const labels of role.aggregationRule?.clusterRoleSelectors ?? []) {
    const selector = selectorFor(labels)
    for (const part of others.filter(({ metadata }) => selector.matches(metadata.labels ?? {})))
      for (const rule of part.rules ?? []) if (!rules.some(known => isSame(known, rule))) rules.push(rule)
  }
  return rules
}
