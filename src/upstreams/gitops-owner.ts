// Who brings an object back when somebody changes it: Flux, Argo CD or Helm, by the marks they leave on it.
import type { KubeObject } from '#kube/objects/objects.ts'

export interface GitopsOwner {
  readonly by: 'flux-helm' | 'flux' | 'argo' | 'helm'
  readonly namespace: string
  readonly name: string
}

/** Who owns an object; whoever puts changes back by itself first. */
export function gitopsOwner({ metadata }: KubeObject): GitopsOwner | undefined {
  const { labels = {}, annotations = {}, namespace = '' } = metadata
  const helmRelease = labels['helm.toolkit.fluxcd.io/name']
  if (helmRelease !== undefined)
    return { by: 'flux-helm', namespace: labels['helm.toolkit.fluxcd.io/namespace'] ?? namespace, name: helmRelease }
  const kustomization = labels['kustomize.toolkit.fluxcd.io/name']
  if (kustomization !== undefined)
    return { by: 'flux', namespace: labels['kustomize.toolkit.fluxcd.io/namespace'] ?? namespace, name: kustomization }
  const tracking = annotations['argocd.argoproj.io/tracking-id']?.split(':')[0] ?? labels['argocd.argoproj.io/instance']
  if (tracking !== undefined) {
    const [name = '', at = ''] = tracking.split('_').reverse()
    return { by: 'argo', namespace: at, name }
  }
  const release = annotations['meta.helm.sh/release-name']
  if (release !== undefined)
    return { by: 'helm', namespace: annotations['meta.helm.sh/release-namespace'] ?? namespace, name: release }
  return undefined
}

const names: Readonly<Record<GitopsOwner['by'], string>> = {
  'flux-helm': 'HelmRelease',
  flux: 'Kustomization',
  argo: 'Application',
  helm: 'Helm release',
}

/** `HelmRelease kube-system/reloader`. */
export function shownOwner({ by, namespace, name }: GitopsOwner): string {
  return `${names[by]} ${namespace === '' ? name : `${namespace}/${name}`}`
}
