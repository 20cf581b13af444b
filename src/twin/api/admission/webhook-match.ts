// Which webhooks a write is shown to, and in which version: their rules, scopes and selectors.
import type { KubeObject } from '#kube/objects/objects.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import { type Draft, fieldsAt, itemsAt, listAt, textAt, textsAt } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'
import type { ResourceType } from '../resource-type.ts'

export interface MatchedWrite {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE'
  /** As the client wrote to it. */
  readonly requested: ResourceType
  readonly subresource: string | undefined
  readonly object: Draft
  readonly existing: KubeObject | undefined
}

/** The type in whose version `webhook` is to be asked: the requested one, or another of the same objects; undefined where it is not. */
export function matchedType(server: ApiServer, webhook: Draft, write: MatchedWrite): ResourceType | undefined {
  const rules = itemsAt(webhook, 'rules')
  const isMatched = (type: ResourceType) => rules.some(rule => isRuled(rule, type, write))
  const type = isMatched(write.requested)
    ? write.requested
    : webhook['matchPolicy'] === 'Exact'
      ? undefined
      : equivalents(server, write.requested).find(isMatched)
  return type !== undefined && isSelected(server, webhook, write) ? type : undefined
}

const kin = new WeakMap<ApiServer, { readonly generation: number; readonly byKey: Map<string, readonly ResourceType[]> }>()

/** Every type under which the objects of `requested` are served besides. */
function equivalents(server: ApiServer, requested: ResourceType): readonly ResourceType[] {
  const { generation } = server.resources
  const known = kin.get(server)
  const byKey = known?.generation === generation ? known.byKey : new Map<string, readonly ResourceType[]>()
  if (byKey !== known?.byKey) kin.set(server, { generation, byKey })
  let all = byKey.get(requested.key)
  if (all === undefined) {
    all = server.resources.all().filter(type => type.key === requested.key)
    byKey.set(requested.key, all)
  }
  return all
}

function isRuled(rule: Draft, type: ResourceType, { operation, subresource, object }: MatchedWrite): boolean {
  const wants = (list: string, value: string) => listAt(rule, list).some(item => item === '*' || item === value)
  const scope = textAt(rule, 'scope') ?? '*'
  // Rules of policies may name objects, too.
  const names = listAt(rule, 'resourceNames')
  return (
    wants('operations', operation) &&
    (names.length === 0 || names.includes(textAt(object, 'metadata', 'name'))) &&
    wants('apiGroups', type.group) &&
    wants('apiVersions', type.version) &&
    listAt(rule, 'resources').some(item => isResource(String(item), type.plural, subresource ?? '')) &&
    (scope === '*' || (scope === 'Namespaced') === type.isNamespaced)
  )
}

// One of: pods, *, pods/status, pods/*, every resource with one subresource, everything.
function isResource(pattern: string, plural: string, subresource: string): boolean {
  const [resource = '', below] = pattern.split('/', 2)
  return (resource === '*' || resource === plural) && (below === '*' || (below ?? '') === subresource)
}

function isSelected(server: ApiServer, webhook: Draft, { requested, object, existing }: MatchedWrite): boolean {
  const labels = textsAt(object, 'metadata', 'labels')
  const before = existing === undefined ? undefined : textsAt(existing, 'metadata', 'labels')
  if (!selects(webhook, 'objectSelector', labels) && !(before !== undefined && selects(webhook, 'objectSelector', before)))
    return false
  const namespace =
    requested.key === 'namespaces'
      ? object
      : server.store.get('namespaces', undefined, textAt(object, 'metadata', 'namespace') ?? '')
  return (
    namespace === undefined ||
    !(requested.isNamespaced || requested.key === 'namespaces') ||
    selects(webhook, 'namespaceSelector', textsAt(namespace, 'metadata', 'labels'))
  )
}

function selects(webhook: Draft, selector: string, labels: Readonly<Record<string, string>>): boolean {
  const given = fieldsAt(webhook, selector)
  if (given === undefined) return true
  const parsed = labelSelectorOf(given)
  return parsed.ok && parsed.value.matches(labels)
}
