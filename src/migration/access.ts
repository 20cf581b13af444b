// What whoever runs a swap may do: every write of its steps is asked of the API server before the first is made.
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource, isClusterScoped, resourceKey } from '#kube/objects/resource.ts'
import { refusedVerbs } from '#process/drop-ins/own-rights.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import type { Theirs, Whole } from './place.ts'
import type { Access, Swap } from './step.ts'
import { resourceOf } from './writes.ts'

interface Refused {
  readonly resource: GroupVersionResource
  readonly verbs: readonly string[]
  readonly namespace: string | undefined
}

/** Which of these writes, and those of the record, are refused, and the commands that grant them; `undefined`: none is. */
export async function missingOf(swap: Swap, needed: readonly Access[]): Promise<string | undefined> {
  const groups = Map.groupBy([...ofRecord(swap), ...needed], ({ resource, namespace }) => `${resourceKey(resource)} ${namespace}`)
  const asked = [...groups.values()].map(async (group): Promise<readonly Refused[]> => {
    const [first] = group
    if (first === undefined) return []
    const { resource, namespace } = first
    const verbs = [...new Set(group.map(({ verb }) => verb))]
    const right = { resource, verbs, ...(namespace === undefined ? {} : { namespace }) }
    const refused = await refusedVerbs({ api: swap.api, log: silentLog }, right, swap.signal)
    return refused.length === 0 ? [] : [{ resource, verbs: refused, namespace }]
  })
  const refused = (await Promise.all(asked)).flat()
  if (refused.length === 0) return undefined
  const user = await ownName(swap)
  const alike = Map.groupBy(refused, ({ verbs, namespace }) => `${verbs.toSorted().join(', ')} *${inPlace(namespace)}`)
  const said = Array.from(alike, ([words, ones]) => words.replace('*', ones.map(one => resourceKey(one.resource)).join(', ')))
  return `${user} may not ${said.join('; ')}. Nothing was written. Whoever may, grants it: ${granting(refused, user)}`
}

const inPlace = (namespace: string | undefined) => (namespace === undefined ? '' : ` in ${namespace}`)

function ofRecord({ record }: Swap): readonly Access[] {
  return ['create', 'update'].map(verb => ({ resource: builtIn.configmaps, verb, namespace: record.namespace }))
}

export const of = (resource: GroupVersionResource, namespace: string | undefined, verb: string): Access => ({
  resource,
  verb,
  namespace,
})

export function ofObject(object: KubeObject, ...verbs: readonly string[]): readonly Access[] {
  return verbs.map(verb => of(resourceOf(object), object.metadata.namespace, verb))
}

/** To delete what upstream is made of, and Helm's own record where that is agreed to. */
export function ofRemoval({ forgetRelease }: Swap, { owner }: Theirs, { objects }: Whole): readonly Access[] {
  const release = owner?.by === 'helm' ? ['list', ...(forgetRelease ? ['delete'] : [])] : []
  return [
    ...objects.flatMap(object => ofObject(object, 'delete')),
    ...release.map(verb => of(builtIn.secrets, owner?.namespace, verb)),
  ]
}

/** As the API server knows whoever asks. */
async function ownName({ api, signal }: Swap): Promise<string> {
  const resource = { group: 'authentication.k8s.io', version: 'v1', resource: 'selfsubjectreviews' }
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview', metadata: { name: '' } }
  const answer = await api.resource(resource).create(review, { signal })
  const name = valueAt(answer, ['status', 'userInfo', 'username'])
  return typeof name === 'string' ? name : 'you'
}

const name = 'ballast-migration'

/** Roles can only be made by who has what they grant: then it takes an administrator's. Otherwise a role a place is enough. */
function granting(refused: readonly Refused[], user: string): string {
  const isWhole = refused.some(
    ({ resource, namespace }) =>
      namespace === undefined || isClusterScoped(resource) || resource.group === 'rbac.authorization.k8s.io',
  )
  if (isWhole) return `kubectl create clusterrolebinding ${name} --clusterrole=cluster-admin ${subject(user)}`
  const places = Map.groupBy(refused, ({ namespace = '' }) => namespace)
  return [...places]
    .flatMap(([namespace, ones]) => {
      const verbs = [...new Set(ones.flatMap(one => one.verbs))].join(',')
      const resources = [...new Set(ones.map(one => resourceKey(one.resource)))].join(',')
      return [
        `kubectl -n ${namespace} create role ${name} --verb=${verbs} --resource=${resources}`,
        `kubectl -n ${namespace} create rolebinding ${name} --role=${name} ${subject(user)}`,
      ]
    })
    .join(' && ')
}

function subject(user: string): string {
  const [, namespace, account] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user) ?? []
  return account === undefined ? `--user='${user.replaceAll("'", "'\\''")}'` : `--serviceaccount=${namespace}:${account}`
}
