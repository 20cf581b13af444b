// Which kinds ScaledObjects target beside those that ours may scale anyway.
import { shown, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

/** As `scaleKinds` has it. */
interface NamedKind {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly resource: string
}

interface FurtherKind {
  readonly kind: NamedKind
  /** Who targets it. */
  readonly objects: readonly string[]
}

const standard = new Set(['apps/deployments', 'apps/statefulsets', 'apps/replicasets', 'argoproj.io/rollouts'])
const standardKinds = new Set(['Deployment', 'StatefulSet', 'ReplicaSet'])

const scaledObjects = (objects: readonly unknown[]): readonly KubeObject[] =>
  objects.filter((one): one is KubeObject => textAt(one, 'kind') === 'ScaledObject')

export const keyOf = ({ group, resource }: Pick<NamedKind, 'group' | 'resource'>): string => `${group}/${resource}`

/** What KEDA has said of its target; undefined: nothing yet. */
export function targetKind(object: KubeObject): NamedKind | undefined {
  const [group, version, kind, resource] = ['group', 'version', 'kind', 'resource'].map(key =>
    textAt(object, 'status', 'scaleTargetGVKR', key),
  )
  if (version === undefined || kind === undefined || resource === undefined) return undefined
  return { group: group ?? '', version, kind, resource }
}

export const isFurther = (kind: NamedKind): boolean => !standard.has(keyOf(kind))

/** Each kind once. */
export function furtherKinds(objects: readonly unknown[]): readonly FurtherKind[] {
  const found = new Map<string, FurtherKind>()
  for (const object of scaledObjects(objects)) {
    const kind = targetKind(object)
    if (kind === undefined || !isFurther(kind)) continue
    const known = found.get(keyOf(kind))
    found.set(keyOf(kind), { kind: known?.kind ?? kind, objects: [...(known?.objects ?? []), shown(object)] })
  }
  return [...found.values()]
}

/** Objects whose target is of another kind, of which nobody has said what its resource is called. */
export function unsettledKinds(objects: readonly unknown[]): readonly { readonly object: string; readonly kind: string }[] {
  return scaledObjects(objects).flatMap(object => {
    const kind = textAt(object, 'spec', 'scaleTargetRef', 'kind') ?? 'Deployment'
    const version = textAt(object, 'spec', 'scaleTargetRef', 'apiVersion') ?? 'apps/v1'
    const isRollout = kind === 'Rollout' && version.startsWith('argoproj.io/')
    const isStandard = isRollout || (standardKinds.has(kind) && ['apps/v1', ''].includes(version))
    return isStandard || targetKind(object) !== undefined ? [] : [{ object: shown(object), kind: `${version} ${kind}` }]
  })
}
