// What is served: the aggregated discovery documents of today's clients and the legacy ones.
import { createHash } from 'node:crypto'
import type { Draft } from '../json-value.ts'
import { textAnswer } from './answer.ts'
import type { ApiServer } from './api-server.ts'
import { mediaRanges } from './negotiation.ts'
import type { TwinRequest, TwinResponse } from './request.ts'
import { groupVersion, type ResourceType, type Subresource } from './resource-type.ts'

/** The answer to `/api`, `/apis`, `/api/v1`, `/apis/G` and `/apis/G/V`; undefined for what is not served. */
export function answerDiscovery(server: ApiServer, path: string, request: TwinRequest): TwinResponse | undefined {
  const segments = path.split('/').filter(segment => segment !== '')
  const [root, first, second, ...more] = segments
  if (more.length > 0) return undefined
  if (root === 'api') {
    if (first === undefined)
      return (
        aggregated(server, request, 'core') ??
        json(request, { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] })
      )
    return first === 'v1' && second === undefined ? resourceList(server, '', 'v1', request) : undefined
  }
  if (root !== 'apis') return undefined
  if (first === undefined) {
    const groups = server.resources.groups().filter(({ group }) => group !== '')
    return (
      aggregated(server, request, 'named') ??
      json(request, { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(groupOf) })
    )
  }
  const known = server.resources.groups().find(({ group }) => group === first && group !== '')
  if (known === undefined) return undefined
  if (second === undefined) return json(request, { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(known) })
  return known.versions.includes(second) ? resourceList(server, first, second, request) : undefined
}

function json(request: TwinRequest, value: Draft): TwinResponse {
  return textAnswer(request, 200, JSON.stringify(value), { encoding: 'json' })
}

function groupOf({ group, versions }: { readonly group: string; readonly versions: readonly string[] }): Draft {
  const all = versions.map(version => ({ groupVersion: groupVersion(group, version), version }))
  return { name: group, versions: all, preferredVersion: all[0] }
}

/** The media type of aggregated discovery the client asks for; clients compare the answer's Content-Type with it. */
function aggregatedVersion(accept: string | undefined): string | undefined {
  return mediaRanges(accept ?? '').find(
    ({ type, parameters }) =>
      type === 'application/json' && parameters['as'] === 'APIGroupDiscoveryList' && parameters['g'] === 'apidiscovery.k8s.io',
  )?.parameters['v']
}

function aggregated(server: ApiServer, request: TwinRequest, which: 'core' | 'named'): TwinResponse | undefined {
  const version = aggregatedVersion(request.headers['accept'])
  if (version !== 'v2' && version !== 'v2beta1') return undefined
  const groups = server.resources.groups().filter(({ group }) => (group === '') === (which === 'core'))
  const items = groups.map(({ group, versions }) => ({
    metadata: { ...(group === '' ? {} : { name: group }), creationTimestamp: null },
    versions: versions.map(name => ({
      version: name,
      resources: server.resources
        .inGroupVersion(group, name)
        .toSorted((a, b) => (a.plural < b.plural ? -1 : 1))
        .map(resourceDiscovery),
      freshness: 'Current',
    })),
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

function resourceDiscovery(type: ResourceType): Draft {
  return {
    resource: type.plural,
    responseKind: { group: type.group, version: type.version, kind: type.kind },
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
              group: subresource.group ?? type.group,
              version: subresource.version ?? type.version,
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
