// What patches and generators of a repository may change in an object, so that nothing is said of it that they mend.
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

export interface Patched {
  /** Something patches a HelmRelease where its chart or its source is said. */
  readonly charts: boolean
  /** Kinds whose objects a ResourceSet makes, under names that nobody sees beforehand; `*`: any. */
  readonly made: ReadonlySet<string>
}

/** Paths of patches and of replacements, where a kustomization names files of them; none of these is an object of its own. */
export function patchFiles(kustomization: KubeObject): readonly string[] {
  const named = ['patches', 'patchesJson6902', 'replacements', 'configurations', 'transformers', 'generators'].flatMap(key =>
    listAt(kustomization, key).flatMap(entry => (typeof entry === 'string' ? entry : (textAt(entry, 'path') ?? []))),
  )
  const merged = listAt(kustomization, 'patchesStrategicMerge').map(String)
  return [...named, ...merged].filter(path => !path.includes('\n'))
}

/** `texts`: the files of patches; `objects`: kustomizations of both sorts, ResourceSets and whatever else there is. */
export function patchedBy(objects: readonly KubeObject[], texts: readonly string[]): Patched {
  const inline = objects.flatMap(object =>
    object.kind === 'Kustomization' || object.kind === 'Component'
      ? [...patchTexts(object), ...patchTexts(at(object, 'spec'))]
      : [],
  )
  return {
    charts: [...inline, ...texts].some(
      text => /HelmRelease/.test(text) && /chartRef|sourceRef|"chart"|\bchart:|\/spec\/chart/.test(text),
    ),
    made: new Set(objects.filter(({ kind }) => kind === 'ResourceSet').flatMap(madeKinds)),
  }
}

function patchTexts(holder: unknown): readonly string[] {
  return ['patches', 'patchesStrategicMerge', 'patchesJson6902', 'replacements'].flatMap(key =>
    listAt(holder, key).map(entry => (typeof entry === 'string' ? entry : JSON.stringify(entry))),
  )
}

function madeKinds(set: KubeObject): readonly string[] {
  if (textAt(set, 'spec', 'resourcesTemplate') !== undefined) return ['*']
  return listAt(set, 'spec', 'resources').flatMap(one => textAt(one, 'kind') ?? [])
}

/** Might an object of `kind` be made by something whose output is not in the repository? */
export const isMade = ({ made }: Patched, kind: string): boolean => made.has(kind) || made.has('*')
