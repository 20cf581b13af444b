// What whoever owns upstream's objects has to do, in their own words: commits and commands for Flux, Argo CD and Helm.
import { shownOwner } from '#upstreams/gitops-owner.ts'
import type { Theirs } from './place.ts'

/** Who would put back what is changed here, and the commit that stops that; `undefined`: nobody. */
export function ownerIsLive(
  { owner, isOwnerQuiet, workload }: Pick<Theirs, 'owner' | 'isOwnerQuiet' | 'workload'>,
  at: 'switch' | 'remove' = 'switch',
): string | undefined {
  if (owner === undefined || isOwnerQuiet) return undefined
  const shown = shownOwner(owner)
  switch (owner.by) {
    case 'flux-helm':
      return `${shown} is live and brings upstream back. Commit "spec.suspend: true" in it, wait until it is applied, then go on${at === 'remove' ? '; a second commit deletes it: a suspended one is deleted without an uninstall' : ''}`
    case 'flux':
      return `${shown} is live and brings upstream back. Commit "spec.suspend: true" in it, or annotate the ${workload.kind} with kustomize.toolkit.fluxcd.io/reconcile: disabled in Git, then go on`
    case 'argo':
      return `${shown} is live and brings upstream back. Run: kubectl delete application ${owner.name} --cascade=orphan (or take its automated sync and its finalizer away), then go on`
    case 'helm':
      return undefined
  }
}

/** How upstream's objects are left to us without an uninstall. */
export function quietly({ owner, namespace, name }: Pick<Theirs, 'owner' | 'namespace' | 'name'>): string {
  switch (owner?.by) {
    case 'flux-helm':
      return `commit 1: spec.suspend: true in ${shownOwner(owner)}; commit 2: delete it; then the objects of ${namespace}/${name}`
    case 'flux':
      return `commit: take ${namespace}/${name} out of ${shownOwner(owner)} with kustomize.toolkit.fluxcd.io/prune: disabled; then its objects`
    case 'argo':
      return `kubectl delete application ${owner.name} --cascade=orphan; then the objects of ${namespace}/${name}`
    case 'helm':
      return `kubectl -n ${owner.namespace} delete secret -l owner=helm,name=${owner.name}; then the objects of ${namespace}/${name}`
    case undefined:
      return `kubectl delete the objects of ${namespace}/${name}`
  }
}
