// Hosts of a Service whose callers reach the gateway in its place: nobody lists them in a route.
import { listAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Route } from './route.ts'

interface Services {
  get(namespace: string | undefined, name: string): KubeObject | undefined
}

/**
 * `found` with the names and addresses of their Services as hosts, for routes that ask for it. A host that some route names to the letter stays
 * that route's alone. A name without its namespace counts where one route bears it: the gateway does not see from which namespace a caller is.
 * The oldest of the routes to one Service has its names.
 */
export function withServiceHosts<Found extends { readonly routes: readonly Route[] }>(
  found: Found,
  services: Services,
  clusterDomain: string,
): Found {
  const bearers = serviceBearers(found.routes)
  if (bearers.size === 0) return found
  const written = new Set(found.routes.flatMap(({ rules }) => rules.flatMap(({ hosts }) => hosts)))
  const namesakes = new Map<string, number>()
  for (const { target } of bearers.values()) namesakes.set(target.service, (namesakes.get(target.service) ?? 0) + 1)
  const routes = found.routes.map(route => {
    const { namespace, target } = route
    if (bearers.get(`${namespace}/${target.service}`) !== route) return route
    const full = `${target.service}.${namespace}`
    const addresses = listAt(services.get(namespace, target.service), 'spec', 'clusterIPs')
    const hosts = [
      ...(namesakes.get(target.service) === 1 ? [target.service] : []),
      ...[full, `${full}.svc`, `${full}.svc.${clusterDomain}`],
      ...addresses.filter((address): address is string => typeof address === 'string' && address !== 'None'),
    ].filter(host => !written.has(host))
    // Without rules of its own a route takes any host already.
    const own = route.rules.length === 0 ? [{ hosts: [], paths: [], headers: [] }] : route.rules
    return hosts.length === 0 ? route : { ...route, rules: [...own, { hosts, paths: [], headers: [] }] }
  })
  return { ...found, routes }
}

/** By `namespace/service`: the oldest of the routes that ask to be reached by the Service's own name. */
export function serviceBearers<Asking extends Route>(routes: Iterable<Asking>): ReadonlyMap<string, Asking> {
  const bearers = new Map<string, Asking>()
  for (const route of routes) {
    if (!route.hints.ownEndpoints) continue
    const key = `${route.namespace}/${route.target.service}`
    const before = bearers.get(key)
    if (before === undefined || isBefore(route, before)) bearers.set(key, route)
  }
  return bearers
}

function isBefore(a: Route, b: Route): boolean {
  return a.createdMs < b.createdMs || (a.createdMs === b.createdMs && a.key < b.key)
}
