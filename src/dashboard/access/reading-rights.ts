// What has to be listable for a page to be seen, and what is said where it is not.
import { disruptionPermits, rebalancePlans } from '#coordination/api.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import type { Right } from './rights.ts'

/** What is read, as users call it. */
export type Reading = 'nodes' | 'plans' | 'permits' | 'settings'

const resources: Readonly<Record<Reading, GroupVersionResource & { readonly isOwn?: true }>> = {
  nodes: builtIn.nodes,
  plans: rebalancePlans,
  permits: { ...disruptionPermits, isOwn: true },
  // The configuration is a ConfigMap in Ballast's own namespace.
  settings: { ...builtIn.configmaps, isOwn: true },
}

export const readings: readonly Reading[] = ['nodes', 'plans', 'permits', 'settings']

/** Permits and settings lie in Ballast's own namespace; all else that is read lies in none. */
export function readingRight(reading: Reading, ownNamespace: string): Right {
  const { group, resource, isOwn } = resources[reading]
  return { verb: 'list', group, resource, ...(isOwn === true ? { namespace: ownNamespace } : {}) }
}

/** Pods of a namespace; without one of all namespaces. */
export function podsRight(namespace: string | undefined): Right {
  return { verb: 'list', group: '', resource: 'pods', ...(namespace === undefined ? {} : { namespace }) }
}

/** `You may not see permits: your account lacks list on disruptionpermits (ballast.dev).` */
export function forbiddenSentence(what: string, { verb, group, resource, namespace }: Right): string {
  const of = group === '' ? resource : `${resource} (${group})`
  return `You may not see ${what}: your account lacks ${verb} on ${of}${namespace === undefined ? '' : ` in ${namespace}`}.`
}
