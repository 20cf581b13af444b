// What `ballast uninstall` may, where it runs as the chart's hook: no more than taking back what capabilities say that they leave.
import type { Capability } from '#coordination/capability.ts'
import type { Fields } from '../tree.ts'

const rule = (group: string, resources: readonly string[], verbs: readonly string[]): Fields => ({
  apiGroups: [group],
  resources: [...new Set(resources)].sort(),
  verbs: [...verbs].sort(),
})

const ofGroup = (keys: readonly string[]) => {
  const groups = new Map<string, string[]>()
  for (const key of keys) {
    const [resource = '', ...rest] = key.split('.')
    const group = rest.join('.')
    groups.set(group, [...(groups.get(group) ?? []), resource])
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** For the whole cluster. */
export function removalRules(capabilities: readonly Capability[]): readonly Fields[] {
  const leaves = capabilities.flatMap(one => one.leaves)
  const marked = leaves.flatMap(left => (left.kind === 'annotation' || left.kind === 'label' ? left.on : []))
  const labelled = ofGroup(leaves.flatMap(left => (left.kind === 'labelled-objects' ? [left.of] : [])))
  const kinds = new Map(capabilities.flatMap(one => one.kinds.map(kind => [`${kind.plural}.${kind.group}`, kind] as const)))
  const own = ofGroup([...kinds.keys()])
  const held = ofGroup(leaves.flatMap(left => (left.kind === 'finalizer' ? left.on : [])))
  return [
    ...ofGroup([...marked, 'nodes', 'pods', 'deployments.apps', 'statefulsets.apps', 'daemonsets.apps']).map(
      ([group, resources]) => rule(group, resources, ['get', 'list', 'patch']),
    ),
    rule(
      'admissionregistration.k8s.io',
      ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
      ['delete', 'get', 'list', 'patch'],
    ),
    rule('apiextensions.k8s.io', ['customresourcedefinitions'], ['delete', 'get', 'list']),
    ...[...labelled, ...own].map(([group, resources]) => rule(group, resources, ['delete', 'get', 'list'])),
    ...held.map(([group, resources]) => rule(group, resources, ['get', 'patch'])),
    ...own.map(([group, resources]) =>
      rule(
        group,
        resources.map(one => `${one}/status`),
        ['patch'],
      ),
    ),
  ]
}

/** In our own namespace, where other things may lie as well. */
export const ownNamespaceRules: readonly Fields[] = [
  rule('', ['configmaps', 'secrets'], ['delete', 'get', 'list', 'patch']),
  rule('coordination.k8s.io', ['leases'], ['delete', 'get', 'list']),
  rule('discovery.k8s.io', ['endpointslices'], ['delete', 'get', 'list']),
]
