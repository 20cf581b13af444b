// Nobody gives rights that they do not have: who writes a role needs its rules or the verb `escalate`, who binds one needs its rules or the verb `bind`.

import type { KubeObject } from '#kube/objects/objects.ts'
import { forbidden, notFound } from '#kube/objects/status.ts'
import { type Draft, draftOf, fieldsAt, isSame, itemsAt, listAt, setAt, textAt } from '../../json-value.ts'
import type { User } from '../api-server.ts'
import type { ResourceRequest } from '../request.ts'
import type { ResourceType } from '../resource-type.ts'
import { subjectOf } from '../write-pipeline.ts'
import type { Authorizer } from './authorization.ts'

const rbac = 'rbac.authorization.k8s.io'

/** Who writes what. */
interface Grant {
  readonly type: ResourceType
  readonly info: ResourceRequest
  readonly user: User
}

/** A rule that says one thing: one verb on one resource, or on one path. */
interface SingleRule {
  readonly verb: string
  readonly group?: string
  readonly resource?: string
  readonly name?: string
  readonly url?: string
}

/** @throws StatusError 403 where the write would give rights that its user does not have; 404 where it binds a role that is not there */
export function assertMayGrant(authorizer: Authorizer, write: Grant, draft: Draft, existing: KubeObject | undefined): void {
  const { type, user, info } = write
  if (type.group !== rbac || user.groups.includes('system:masters')) return
  if (existing !== undefined && changesOnlyUpkeep(draft, existing)) return
  const namespace = type.isNamespaced ? info.namespace : undefined
  const isBinding = type.kind.endsWith('Binding')
  const asked = { ...info, kind: 'resource', group: rbac, version: 'v1', namespace, subresource: undefined } as const
  const refuse = (why: string) => forbidden(subjectOf(type), textAt(draft, 'metadata', 'name') ?? '', why)
  if (!isBinding) {
    if (authorizer.allows(user, { ...asked, verb: 'escalate', resource: type.plural, name: info.name })) return
    assertHeld(authorizer, user, namespace, itemsAt(draft, 'rules'), refuse)
    const aggregates = [draft, ...(existing === undefined ? [] : [existing])].some(
      role => fieldsAt(role, 'aggregationRule') !== undefined,
    )
    if (aggregates)
      assertHeld(authorizer, user, namespace, everything, () =>
        refuse('must have cluster-admin privileges to use the aggregationRule'),
      )
    return
  }
  const kind = textAt(draft, 'roleRef', 'kind') ?? ''
  const name = textAt(draft, 'roleRef', 'name') ?? ''
  const resource = kind === 'ClusterRole' ? 'clusterroles' : 'roles'
  if (authorizer.allows(user, { ...asked, verb: 'bind', resource, name })) return
  const rules = authorizer.rulesOfRole(kind, name, namespace)
  if (rules === undefined) throw notFound(subjectOf(type), name)
  assertHeld(authorizer, user, namespace, rules, refuse)
}

const everything: readonly Draft[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
]

/** Whether a write changes nothing but what the garbage collector needs to change. */
function changesOnlyUpkeep(draft: Draft, existing: KubeObject): boolean {
  const without = (object: Draft) => {
    const copy = draftOf(object)
    for (const field of ['ownerReferences', 'finalizers', 'managedFields', 'resourceVersion'])
      setAt(copy, ['metadata', field], undefined)
    return copy
  }
  return isSame(without(draft), without(draftOf(existing)))
}

function assertHeld(
  authorizer: Authorizer,
  user: User,
  namespace: string | undefined,
  rules: readonly Draft[],
  refuse: (why: string) => Error,
): void {
  const held = Array.from(authorizer.rulesOf(user, namespace), ({ rule }) => rule)
  const missing = rules.flatMap(singleRules).filter(single => !held.some(rule => gives(rule, single)))
  if (missing.length === 0) return
  const groups = `[${user.groups.map(group => JSON.stringify(group)).join(' ')}]`
  throw refuse(
    `user ${JSON.stringify(user.name)} (groups=${groups}) is attempting to grant RBAC permissions not currently held:\n${told(missing)}`,
  )
}

function singleRules(rule: Draft): readonly SingleRule[] {
  const words = (list: string) => listAt(rule, list).map(String)
  const names = words('resourceNames')
  const singles: SingleRule[] = []
  for (const group of words('apiGroups'))
    for (const resource of words('resources'))
      for (const verb of words('verbs'))
        if (names.length === 0) singles.push({ verb, group, resource })
        else singles.push(...names.map(name => ({ verb, group, resource, name })))
  for (const url of words('nonResourceURLs')) singles.push(...words('verbs').map(verb => ({ verb, url })))
  return singles
}

function gives(rule: Draft, single: SingleRule): boolean {
  const has = (list: string, word: string) => listAt(rule, list).some(item => item === '*' || item === word)
  if (!has('verbs', single.verb)) return false
  const { url, group, resource, name } = single
  if (url !== undefined)
    return listAt(rule, 'nonResourceURLs')
      .map(String)
      .some(held => held === url || (held.endsWith('*') && url.startsWith(held.slice(0, -1))))
  const names = listAt(rule, 'resourceNames')
  const [, subresource] = (resource ?? '').split('/', 2)
  return (
    has('apiGroups', group ?? '') &&
    (has('resources', resource ?? '') || (subresource !== undefined && has('resources', `*/${subresource}`))) &&
    (names.length === 0 || (name !== undefined && names.includes(name)))
  )
}

/** One line for what is missing of a resource, with all its verbs, in the order of the alphabet. */
function told(missing: readonly SingleRule[]): string {
  const verbsOf = new Map<string, Set<string>>()
  const lines = new Set<string>()
  const quoted = (words: readonly string[]) => `[${words.map(word => JSON.stringify(word)).join(' ')}]`
  for (const { verb, group, resource, name, url } of missing) {
    if (url !== undefined) {
      lines.add(`{NonResourceURLs:${quoted([url])}, Verbs:${quoted([verb])}}`)
      continue
    }
    const names = name === undefined ? '' : `, ResourceNames:${quoted([name])}`
    const head = `APIGroups:${quoted([group ?? ''])}, Resources:${quoted([resource ?? ''])}${names}`
    verbsOf.set(head, (verbsOf.get(head) ?? new Set()).add(verb))
  }
  for (const [head, verbs] of verbsOf) lines.add(`{${head}, Verbs:${quoted([...verbs])}}`)
  return [...lines].sort().join('\n')
}
