// What an OCIRepository takes over of the HelmRepository and of the release's chart, and what cannot be taken over.

import { findObject } from '#doctor/repository/find-object.ts'
import type { RepositoryObject } from '#doctor/repository.ts'
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import { isTree } from '#upstreams/values-tree.ts'

type Carried =
  | { readonly interval: string; readonly fields: Readonly<Record<string, unknown>>; readonly notes: readonly string[] }
  | { readonly refused: 'values-files' | 'secret-namespace' | 'secret-type'; readonly because: string; readonly fix: string }

interface Carrying {
  readonly release: RepositoryObject
  readonly repository: RepositoryObject
  readonly objects: readonly RepositoryObject[]
  /** The source is the same registry as before, not one of the table. */
  readonly isSameRegistry: boolean
  readonly interval: string
  readonly copySecrets: boolean
}

/** Fields that both kinds have. */
const shared = ['provider', 'insecure', 'suspend'] as const
const dockerType = 'kubernetes.io/dockerconfigjson'

/** Works out the rest of `spec`. */
export function carriedFields({ release, repository, objects, isSameRegistry, interval, copySecrets }: Carrying): Carried {
  const chart = at(release.object, 'spec', 'chart', 'spec')
  const old = at(repository.object, 'spec')
  const notes: string[] = []
  if (listAt(chart, 'valuesFiles').length > 0 || textAt(chart, 'valuesFile') !== undefined)
    return {
      refused: 'values-files',
      because: 'its chart has valuesFiles, which an OCIRepository has not: without them its values would change',
      fix: 'keep the HelmRepository, make a HelmChart of spec.chart.spec, and name it by chartRef.kind: HelmChart',
    }
  const fields: Record<string, unknown> = {}
  const timeout = textAt(old, 'timeout')
  if (timeout !== undefined) fields['timeout'] = withoutHours(timeout)
  for (const key of shared) {
    const value = at(old, key)
    if (value !== undefined && value !== false && value !== 'generic' && (isSameRegistry || key === 'suspend'))
      fields[key] = value
  }
  const verify = at(chart, 'verify')
  const secrets = [
    ...['secretRef', 'certSecretRef'].map(key => ({ key, value: at(old, key) })),
    { key: 'verify', value: isTree(verify) ? verify['secretRef'] : undefined },
  ].filter(({ value }) => textAt(value, 'name') !== undefined)
  const named = textAt(chart, 'sourceRef', 'namespace')
  const isElsewhere =
    named !== undefined && !(release.namespaces.length > 0 && release.namespaces.every(namespace => namespace === named))
  for (const { key, value } of secrets) {
    const name = textAt(value, 'name') ?? ''
    if (key !== 'verify' && !isSameRegistry)
      return {
        refused: 'secret-type',
        because: `its HelmRepository has ${key} ${name}, which is for another server than the registry`,
        fix: 'give the registry a Secret of its own, if it needs one, and take the HelmRepository by hand',
      }
    const secret = findObject(objects, 'Secret', name, [named ?? release.namespaces[0]])
    const type = secret === undefined ? undefined : (textAt(secret.object, 'type') ?? 'Opaque')
    if (key === 'secretRef' && type !== undefined && type !== dockerType)
      return {
        refused: 'secret-type',
        because: `Secret ${name} has the type ${type}, which an OCIRepository does not take`,
        fix: `make it one of type ${dockerType}`,
      }
    if (isElsewhere && !copySecrets)
      return {
        refused: 'secret-namespace',
        because: `its source needs Secret ${named}/${name}, and an OCIRepository reads Secrets of its own namespace alone`,
        fix: `copy that Secret into the release's namespace and run again with --copy-secret-ref`,
      }
    if (isElsewhere) notes.push(`copy Secret ${named}/${name} → ${release.namespaces[0] ?? "the release's namespace"}`)
    if (key === 'secretRef' && type === undefined) notes.push(`Secret ${name} has to be of type ${dockerType}`)
    if (key !== 'verify') fields[key] = { name }
  }
  if (verify !== undefined) fields['verify'] = verify
  if (at(old, 'passCredentials') === true) notes.push('passCredentials is not carried: an OCIRepository has no such field')
  if (at(old, 'accessFrom') !== undefined) notes.push('accessFrom is not carried: an OCIRepository has no such field')
  if (at(release.object, 'spec', 'chart', 'metadata') !== undefined)
    notes.push('labels and annotations of spec.chart.metadata are not carried: there is no HelmChart any more')
  if (textAt(chart, 'reconcileStrategy') === 'Revision')
    notes.push('reconcileStrategy Revision is the only way of an OCIRepository: a tag that is pushed again is an upgrade')
  return { interval: textAt(chart, 'interval') ?? textAt(old, 'interval') ?? interval, fields, notes }
}

/** An OCIRepository's `timeout` knows no hours: `1h30m` is `90m`. Other texts, as variables, stay as they are. */
export function withoutHours(duration: string): string {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(duration) || !duration.includes('h')) return duration
  const factors: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 }
  let milliseconds = 0
  for (const [, number = '0', , unit = 's'] of duration.matchAll(/(\d+(\.\d+)?)(ms|s|m|h)/g))
    milliseconds += Number(number) * (factors[unit] ?? 0)
  const minutes = Math.floor(milliseconds / 60_000)
  const rest = Math.round(milliseconds % 60_000)
  return `${minutes > 0 ? `${minutes}m` : ''}${rest > 0 ? (rest % 1000 === 0 ? `${rest / 1000}s` : `${rest}ms`) : ''}`
}
