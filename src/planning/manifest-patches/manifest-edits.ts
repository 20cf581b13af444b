// The files that say what a plan wants: manifests with the changed template, patches of overlays, values of charts, post-renderers, and what is left over as a
// patch for whoever can use it. Pure; texts in, texts out. Made twice it changes nothing the second time.

import { stringify } from 'yaml'
import type { KubeObject, PodSpec } from '#kube/objects/objects.ts'
import { withApplicationValue } from './argo-applications.ts'
import { isKnownRelease, valuePlace } from './chart-values.ts'
import { type Target, targetOf } from './manifest-target.ts'
import { isFields, type Manifest, type ManifestFolder, manifestValues } from './manifests.ts'
import type { FileChange } from './unified-diff.ts'
import { isSame, withValue, type YamlPath } from './yaml-edit.ts'

type Affinity = NonNullable<PodSpec['affinity']>

/** What is to be said of one object. */
export interface Wish {
  readonly live: KubeObject
  /** Where in the object; `spec.template.spec.affinity`. */
  readonly path: YamlPath
  /** The value there, given what the manifest (or else the cluster) has. */
  readonly value: (before: unknown) => unknown
}

export interface Placed {
  readonly wish: Wish
  readonly target: Target
  /** The file that says it now. */
  readonly file: string | undefined
  /** It said so before. */
  readonly isThere: boolean
  /** A patch for those that cannot be written here. */
  readonly patch: string | undefined
  readonly because: string | undefined
}

export interface Edits {
  readonly changes: readonly FileChange[]
  readonly placed: readonly Placed[]
}

/** Every wish where it can be said. Wishes of one file are said in it one after the other. */
export function editManifests(folder: ManifestFolder, wishes: readonly Wish[], overlay?: string): Edits {
  const texts = new Map<string, string>()
  const current = (file: string) => texts.get(file) ?? folder.files.get(file)
  const placed = wishes.map((wish): Placed => {
    const target = targetOf(folder, wish.live, overlay)
    const written = target.kind === 'none' ? target.because : write(folder, { wish, target, current })
    if (typeof written === 'string')
      return { wish, target, file: undefined, isThere: false, patch: patchText(wish, wish.live), because: written }
    const isThere = written.every(({ path, after }) => current(path) === after)
    for (const { path, after } of written) texts.set(path, after)
    return { wish, target, file: written[0]?.path, isThere, patch: undefined, because: undefined }
  })
  const changes = [...texts]
    .map(([path, after]) => ({ path, before: folder.files.get(path), after }))
    .filter(({ before, after }) => before !== after)
    .sort((a, b) => (a.path < b.path ? -1 : 1))
  return { changes, placed }
}

/** What a wish is about, as a part of a file's name: `affinity`, `managed-by`. */
export function nameOfWish({ path }: Pick<Wish, 'path'>): string {
  const last = String(path.at(-1)).toLowerCase()
  return last.slice(last.lastIndexOf('/') + 1)
}

interface Writing {
  readonly wish: Wish
  readonly target: Exclude<Target, { readonly kind: 'none' }>
  readonly current: (file: string) => string | undefined
}

/** The files as they are to be; a text says why it cannot be. */
function write(
  folder: ManifestFolder,
  { wish, target, current }: Writing,
): readonly { readonly path: string; readonly after: string }[] | string {
  switch (target.kind) {
    case 'manifest': {
      const { file, document, prefix } = target.manifest
      const after = withValue(
        current(file) ?? '',
        { document, path: [...prefix, ...wish.path] },
        wish.value(valueAt(target.manifest.object, wish.path)),
      )
      return after === undefined
        ? `${file} cannot be changed without changing something else (anchors, or a form that is not known)`
        : [{ path: file, after }]
    }
    case 'overlay':
      return writeOverlay(folder, { wish, target, current })
    case 'helm-release':
      return writeRelease(folder, { wish, target, current })
    case 'application': {
      const { file } = target.manifest
      const written = withApplicationValue(current(file) ?? '', atPresent(target.manifest, current), wish)
      return 'because' in written ? written.because : [{ path: file, after: written.after }]
    }
  }
}

function writeOverlay(
  folder: ManifestFolder,
  { wish, target, current }: Writing & { readonly target: Extract<Target, { readonly kind: 'overlay' }> },
): readonly { readonly path: string; readonly after: string }[] | string {
  const kustomization = folder.kustomizationFiles.get(target.folder)
  if (kustomization === undefined) return `${target.folder} has no kustomization that can be changed`
  const { manifest } = target
  const name = `ballast-${nameOfWish(wish)}-${manifest.kind.toLowerCase()}-${manifest.name}.yaml`
  const path = target.folder === '.' ? name : `${target.folder}/${name}`
  const { kind, apiVersion } = manifest
  const patch = patchText(wish, { ...manifest.object, kind, apiVersion, metadata: { name: manifest.name } })
  const text = current(kustomization) ?? ''
  const list = listIn(text, 'patches')
  const entry = { path: name, target: { kind: manifest.kind, name: manifest.name } }
  if (list.some(one => isSame(one, entry))) return [{ path, after: patch }]
  const after = withValue(text, { document: 0, path: ['patches'] }, [...list, entry])
  return after === undefined
    ? `${kustomization} cannot be changed without changing something else`
    : [
        { path, after: patch },
        { path: kustomization, after },
      ]
}

function listIn(text: string, key: string): readonly unknown[] {
  const [value] = manifestValues(text)
  const list: unknown = isFields(value) ? value[key] : undefined
  return Array.isArray(list) ? list : []
}

/** The manifest as its file says it now: an earlier wish may have changed it. */
function atPresent(manifest: Manifest, current: Writing['current']): Manifest {
  const object = valueAt(manifestValues(current(manifest.file) ?? '')[manifest.document], manifest.prefix)
  return isFields(object) ? { ...manifest, object } : manifest
}

/** In the release's values where the chart's are known; else by a post-renderer, and where one says it already there. */
function writeRelease(
  folder: ManifestFolder,
  writing: Writing & { readonly target: Extract<Target, { readonly kind: 'helm-release' }> },
): readonly { readonly path: string; readonly after: string }[] | string {
  const { wish, target, current } = writing
  const { file, document, prefix, object } = atPresent(target.manifest, current)
  const values = valueAt(object, ['spec', 'values'])
  const place =
    isKnownRelease(folder, { object }) && !isRendered(object, wish) ? valuePlace(values, wish.live, wish.path) : undefined
  const after =
    place &&
    withValue(current(file) ?? '', { document, path: [...prefix, 'spec', 'values', ...place.path] }, wish.value(place.before))
  return after === undefined ? writePostRenderer(writing) : [{ path: file, after }]
}

/** Whether a post-renderer of the release says it. */
function isRendered(release: unknown, wish: Wish): boolean {
  const renderers = valueAt(release, ['spec', 'postRenderers'])
  return Array.isArray(renderers) && renderers.some(renderer => isRendererOf(renderer, wish))
}

function isRendererOf(renderer: unknown, { live, path }: Wish): boolean {
  const patches = valueAt(renderer, ['kustomize', 'patches'])
  const aim = { kind: live.kind, name: live.metadata.name }
  if (!Array.isArray(patches) || patches.length !== 1 || !isSame(valueAt(patches[0], ['target']), aim)) return false
  const patch = valueAt(patches[0], ['patch'])
  return typeof patch === 'string' && valueAt(manifestValues(patch)[0], path) !== undefined
}

function writePostRenderer({
  wish,
  target,
  current,
}: Writing & { readonly target: Extract<Target, { readonly kind: 'helm-release' }> }):
  | readonly { readonly path: string; readonly after: string }[]
  | string {
  const { file, document, prefix } = target.manifest
  const text = current(file) ?? ''
  const release = valueAt(manifestValues(text)[document], prefix)
  const before = valueAt(release, ['spec', 'postRenderers'])
  const renderers: readonly unknown[] = Array.isArray(before) ? before : []
  const { kind, metadata } = wish.live
  const aim = { kind, name: metadata.name }
  const entry = { kustomize: { patches: [{ target: aim, patch: patchText(wish, wish.live) }] } }
  const isOurs = (renderer: unknown) => isRendererOf(renderer, wish)
  const value = renderers.some(isOurs) ? renderers.map(renderer => (isOurs(renderer) ? entry : renderer)) : [...renderers, entry]
  const after = withValue(text, { document, path: [...prefix, 'spec', 'postRenderers'] }, value)
  return after === undefined ? `${file} cannot be changed without changing something else` : [{ path: file, after }]
}

/** A strategic merge patch for kustomize and `kubectl patch`: lists of terms are whole, since they are merged by no key. */
function patchText(wish: Wish, from: KubeObject): string {
  const { apiVersion, kind, metadata } = from
  const value = wish.value(valueAt(from, wish.path))
  const body = wish.path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value)
  const { name, namespace } = metadata
  const { metadata: more, ...rest } = isFields(body) ? body : {}
  const own = { name, ...(namespace === undefined ? {} : { namespace }), ...(isFields(more) ? more : {}) }
  const patch = { apiVersion, kind, metadata: own, ...rest }
  return stringify(patch, { lineWidth: 0 })
}

function valueAt(value: unknown, path: YamlPath): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  )
}

/** The affinity of a template, as a manifest or a live object has it. */
export function asAffinity(value: unknown): Affinity | undefined {
  // What a manifest says is the user's; the API server judges its shape.
  return isFields(value) ? (value as Affinity) : undefined
}
