// Where a workload's template is written, and how it can be changed there: in its manifest, by a patch of its overlay, in the values or by a
// post-renderer of its HelmRelease, in the values of its Application, or not at all, with the reason.

import type { KubeObject } from '#kube/objects/objects.ts'
import { applicationOf } from './argo-applications.ts'
import { type Arrival, isFields, type Manifest, type ManifestFolder } from './manifests.ts'

export type Target =
  | { readonly kind: 'manifest'; readonly manifest: Manifest }
  /** The manifest serves several overlays: this one gets a patch. */
  | { readonly kind: 'overlay'; readonly folder: string; readonly manifest: Manifest }
  | { readonly kind: 'helm-release'; readonly manifest: Manifest }
  /** Inline values of an Application of Argo CD. */
  | { readonly kind: 'application'; readonly manifest: Manifest }
  | { readonly kind: 'none'; readonly because: string }

interface Wanted {
  readonly kind: string
  readonly namespace: string
  readonly name: string
}

/** Target for `live`, as the cluster has it. `overlay`: only what this folder's kustomization takes in counts. */
export function targetOf(folder: ManifestFolder, live: KubeObject, overlay?: string): Target {
  const wanted = { kind: live.kind, namespace: live.metadata.namespace ?? 'default', name: live.metadata.name }
  const release = helmReleaseOf(live)
  const found = matching(folder, wanted, overlay)
  const [only] = found
  if (only === undefined) {
    const made = release === undefined ? undefined : byRelease(folder, release, wanted)
    return made?.kind === 'helm-release'
      ? made
      : (byApplication(folder, live) ??
          made ??
          byInstance(folder, wanted, live) ?? { kind: 'none', because: absent(folder, wanted) })
  }
  const places = new Set(found.map(({ manifest }) => placeOf(manifest)))
  if (places.size > 1)
    return {
      kind: 'none',
      because: `it is written in several places (${[...places].join(', ')}); --overlay names the one of this cluster`,
    }
  const roots = new Set(found.map(({ root }) => root))
  if (roots.size > 1)
    return {
      kind: 'none',
      because: `several overlays make it (${[...roots].map(root => root ?? 'none').join(', ')}); --overlay names the one of this cluster`,
    }
  const { manifest, root } = only
  const isShared = folder.arrivals.some(arrival => arrival.manifest === manifest && arrival.root !== root)
  if (isShared && root !== undefined) return { kind: 'overlay', folder: root, manifest }
  return { kind: 'manifest', manifest }
}

/** Arrivals of that kind and name: those of the namespace, else those that say none. */
function matching(folder: ManifestFolder, { kind, namespace, name }: Wanted, overlay: string | undefined): readonly Arrival[] {
  const named = folder.arrivals.filter(
    arrival => arrival.manifest.kind === kind && arrival.name === name && (overlay === undefined || arrival.root === overlay),
  )
  const exact = named.filter(arrival => arrival.namespace === namespace)
  return exact.length > 0 ? exact : named.filter(arrival => arrival.namespace === undefined)
}

function placeOf({ file, document, prefix }: Manifest): string {
  return `${file} document ${document + 1}${prefix.length === 0 ? '' : ` ${prefix.join('.')}`}`
}

function absent({ unread }: ManifestFolder, { kind, namespace, name }: Wanted): string {
  const templates = unread.filter(line => line.endsWith('it is a template')).length
  return `no manifest of ${kind} ${namespace}/${name} is here${templates === 0 ? '' : `; ${templates} files are templates, which are not looked into`}`
}

interface Release {
  readonly name: string
  readonly namespace: string
}

/** The Helm release that made the object, as Helm writes it on what it makes. */
function helmReleaseOf({ metadata }: KubeObject): Release | undefined {
  const name = metadata.annotations?.['meta.helm.sh/release-name']
  const isHelm = metadata.labels?.['app.kubernetes.io/managed-by'] === 'Helm'
  if (name === undefined)
    return isHelm
      ? { name: metadata.labels?.['app.kubernetes.io/instance'] ?? '', namespace: metadata.namespace ?? 'default' }
      : undefined
  return { name, namespace: metadata.annotations?.['meta.helm.sh/release-namespace'] ?? metadata.namespace ?? 'default' }
}

/** A dump of rendered charts lacks what Helm writes on its objects, but not the label that names the release. */
function byInstance(folder: ManifestFolder, wanted: Wanted, { metadata }: KubeObject): Target | undefined {
  const name = metadata.labels?.['app.kubernetes.io/instance']
  const found = name === undefined ? undefined : byRelease(folder, { name, namespace: wanted.namespace }, wanted)
  return found?.kind === 'helm-release' ? found : undefined
}

function byApplication(folder: ManifestFolder, live: KubeObject): Target | undefined {
  const found = applicationOf(folder, live)
  if (found === undefined) return undefined
  return typeof found === 'string' ? { kind: 'none', because: found } : { kind: 'application', manifest: found }
}

function byRelease(folder: ManifestFolder, release: Release, wanted: Wanted): Target {
  const found = folder.arrivals.filter(arrival => {
    const { manifest } = arrival
    if (manifest.kind !== 'HelmRelease' || !manifest.apiVersion.startsWith('helm.toolkit.fluxcd.io/')) return false
    const spec = isFields(manifest.object['spec']) ? manifest.object['spec'] : {}
    const { releaseName, targetNamespace } = spec
    const target = typeof targetNamespace === 'string' ? targetNamespace : arrival.namespace
    const standard = typeof targetNamespace === 'string' ? `${targetNamespace}-${arrival.name}` : arrival.name
    const isNamed = (typeof releaseName === 'string' ? releaseName : standard) === release.name
    return isNamed && (target === undefined || target === release.namespace)
  })
  const manifests = [...new Set(found.map(({ manifest }) => manifest))]
  const [only, second] = manifests
  if (only !== undefined && second === undefined) return { kind: 'helm-release', manifest: only }
  const shown = `release ${release.name} of Helm makes ${wanted.kind} ${wanted.namespace}/${wanted.name}`
  const because =
    only === undefined
      ? `${shown}, and no HelmRelease of it is here: set the chart's value for affinity, if it has one`
      : `${shown}, and several HelmReleases could be it (${manifests.map(placeOf).join(', ')})`
  return { kind: 'none', because }
}
