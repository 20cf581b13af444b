// What is served: the aggregated discovery documents of today's clients and the legacy ones.
import { createHash } from 'node:crypto'
import { versionOrder } from '#kube/objects/api-versions.ts'
import { discoveryVersion } from '#kube/server/media-types.ts'
import type { RemoteApi } from '../../aggregation/aggregator.ts'
import { groupPriority, playedApi } from '../../aggregation/local-api-services.ts'
import type { Draft } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'
import type { TwinRequest, TwinResponse } from '../request.ts'
import { groupVersion, type ResourceType, type Subresource } from '../resource-type.ts'
import { textAnswer } from './answer.ts'

/** The answer to `/api`, `/apis`, `/api/v1`, `/apis/G` and `/apis/G/V`; undefined for what is not served. */
export function answerDiscovery(
  server: ApiServer,
  path: string,
  request: TwinRequest,
  remote: readonly RemoteApi[] = [],
): TwinResponse | undefined {
  const segments = path.split('/').filter(segment => segment !== '')
  const [root, first, second, ...more] = segments
  if (more.length > 0) return undefined
  if (root === 'api') {
    if (first === undefined)
      return (
        aggregated(server, request, [{ group: '', versions: [{ version: 'v1', remote: undefined }] }]) ??
        json(request, { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] })
      )
    return first === 'v1' && second === undefined ? resourceList(server, '', 'v1', request) : undefined
  }
  if (root !== 'apis') return undefined
  const groups = servedGroups(server, remote)
  if (first === undefined) {
    return (
      aggregated(server, request, groups) ??
      json(request, { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(groupOf) })
    )
  }
  const known = groups.find(({ group }) => group === first)
  if (known === undefined) return undefined
  if (second === undefined) return json(request, { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(known) })
  const isOurs = known.versions.some(({ version, remote: other }) => version === second && other === undefined)
  return isOurs ? resourceList(server, first, second, request) : undefined
}

interface ServedGroup {
  readonly group: string
  /** The preferred one first. */
  readonly versions: readonly ServedVersion[]
}

interface ServedVersion {
  readonly version: string
  /** Undefined where we serve it ourselves. */
  readonly remote: RemoteApi | undefined
}

/** All named groups, ours and those of servers behind us, by their priorities. */
function servedGroups(server: ApiServer, remote: readonly RemoteApi[]): readonly ServedGroup[] {
  const own: ServedGroup[] = server.resources
    .groups()
    .filter(({ group }) => group !== '')
    .map(({ group, versions }) => ({ group, versions: versions.map(version => ({ version, remote: undefined })) }))
  if (remote.length === 0) return own
  const names = [...new Set([...own.map(({ group }) => group), ...remote.map(({ group }) => group)])]
  const merged = names.map(group => {
    const others = remote.filter(api => api.group === group)
    const taken = new Set(others.map(({ version }) => version))
    const ours = own.find(candidate => candidate.group === group)?.versions.filter(({ version }) => !taken.has(version)) ?? []
    const versions = [...ours, ...others.map(api => ({ version: api.version, remote: api }))]
    const priority = Math.max(
      ...others.map(({ groupPriority: asked }) => asked),
      ours.length === 0 ? 0 : group === playedApi.group ? playedApi.groupPriorityMinimum : groupPriority(group),
    )
    return { group, versions: versions.toSorted(byVersion), priority }
  })
  return merged.toSorted((left, right) => right.priority - left.priority)
}

function byVersion(left: ServedVersion, right: ServedVersion): number {
  const priorities = (right.remote?.versionPriority ?? 0) - (left.remote?.versionPriority ?? 0)
  return priorities === 0 || left.remote === undefined || right.remote === undefined
    ? versionOrder(left.version, right.version)
    : priorities
}

function json(request: TwinRequest, value: Draft): TwinResponse {
  return textAnswer(request, 200, JSON.stringify(value), { encoding: 'json' })
}

function groupOf({ group, versions }: ServedGroup): Draft {
  const all = versions.map(({ version }) => ({ groupVersion: groupVersion(group, version), version }))
  return { name: group, versions: all, preferredVersion: all[0] }
}

function aggregated(server: ApiServer, request: TwinRequest, groups: readonly ServedGroup[]): TwinResponse | undefined {
  const version = discoveryVersion(request.headers['accept'] ?? '')
  if (version === undefined) return undefined
  const items = groups.map(({ group, versions }) => ({
    metadata: {
      ...(group === '' ? {} : { name: group }),
      ...(versions.some(({ remote }) => remote === undefined) ? { creationTimestamp: null } : {}),
    },
    versions: versions.map(({ version: name, remote }) =>
      remote === undefined
        ? {
            version: name,
            resources: server.resources
              .inGroupVersion(group, name)
              .toSorted((a, b) => (a.plural < b.plural ? -1 : 1))
              .map(resourceDiscovery),
            freshness: 'Current',
          }
        : remoteDiscovery(remote),
    ),
  }))
  const body = JSON.stringify({
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items,
  })
  const etag = `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"`
  const headers = {
    'content-type': `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
    etag,
    vary: 'Accept',
  }
  if (request.headers['if-none-match'] === etag) return { kind: 'whole', status: 304, headers, body: '' }
  return { kind: 'whole', status: 200, headers, body }
}

/** Recorded: what was never had has no resources, what is had no more keeps the last ones. */
function remoteDiscovery({ version, served, isStale }: RemoteApi): Draft {
  return {
    version,
    ...(served === undefined ? {} : { resources: served.resources }),
    freshness: isStale ? 'Stale' : 'Current',
  }
}

function resourceDiscovery(type: ResourceType): Draft {
  // Upstream leaves these empty for its own kinds, where they are those of the list.
  const written = type.custom === undefined ? { group: '', version: '' } : { group: type.group, version: type.version }
  return {
    resource: type.plural,
    responseKind: { ...written, kind: type.kind },
    scope: type.isNamespaced ? 'Namespaced' : 'Cluster',
    singularResource: type.singular,
    verbs: type.verbs,
    ...(type.shortNames.length === 0 ? {} : { shortNames: type.shortNames }),
    ...(type.categories.length === 0 ? {} : { categories: type.categories }),
    ...(type.subresources.length === 0
      ? {}
      : {
          subresources: type.subresources.map(subresource => ({
            subresource: subresource.name,
            responseKind: {
              group: subresource.group ?? written.group,
              version: subresource.version ?? written.version,
              kind: subresource.kind,
            },
            verbs: subresource.verbs,
          })),
        }),
  }
}

function resourceList(server: ApiServer, group: string, version: string, request: TwinRequest): TwinResponse {
  const types = server.resources.inGroupVersion(group, version)
  const resources = types.flatMap(type => [
    resourceRow(type),
    ...type.subresources.map(subresource => subresourceRow(type, subresource)),
  ])
  return json(request, { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: groupVersion(group, version), resources })
}

function resourceRow(type: ResourceType): Draft {
  const hash = createHash('sha256')
    .update(`${type.group}/${type.storageVersion}/${type.kind}`)
    .digest()
    .subarray(0, 8)
    .toString('base64')
  return {
    name: type.plural,
    singularName: type.singular,
    namespaced: type.isNamespaced,
    kind: type.kind,
    verbs: type.verbs,
    ...(type.shortNames.length === 0 ? {} : { shortNames: type.shortNames }),
    ...(type.categories.length === 0 ? {} : { categories: type.categories }),
    ...(type.verbs.includes('watch') ? { storageVersionHash: hash } : {}),
  }
}

function subresourceRow(type: ResourceType, subresource: Subresource): Draft {
  return {
    name: `${type.plural}/${subresource.name}`,
    singularName: '',
    namespaced: type.isNamespaced,
    ...(subresource.group === undefined ? {} : { group: subresource.group, version: subresource.version }),
    kind: subresource.kind,
    verbs: subresource.verbs,
  }
}
