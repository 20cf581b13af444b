// What an API server serves.

import { messageOf } from '../log.ts'
import { parseApiVersion } from '../objects/resource.ts'
import { type Connection, parsed } from './connection.ts'

interface ApiResource {
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly kind: string
  readonly namespaced: boolean
  readonly verbs: readonly string[]
  readonly shortNames: readonly string[]
}

export interface Discovery {
  readonly resources: readonly ApiResource[]
  /** Groups that did not answer, and why: the rest stands without them. */
  readonly unavailable: readonly { readonly groupVersion: string; readonly why: string }[]
}

interface ResourceListBody {
  readonly groupVersion: string
  readonly resources?: readonly {
    readonly name: string
    readonly kind: string
    readonly namespaced: boolean
    readonly verbs: readonly string[]
    readonly shortNames?: readonly string[]
  }[]
}

/** All served resources; groups that do not answer are named beside them. @throws StatusError when the server does not say what groups it has. */
export async function discover(connection: Connection, signal: AbortSignal): Promise<Discovery> {
  const options = { signal }
  const core = parsed<{ versions?: readonly string[] }>(await connection.request('GET', '/api', options))
  const groups = parsed<{ groups?: readonly { versions: readonly { groupVersion: string }[] }[] }>(
    await connection.request('GET', '/apis', options),
  )
  const groupVersions = [
    ...(core.versions ?? []).map(version => ({ groupVersion: version, path: `/api/${version}` })),
    ...(groups.groups ?? [])
      .flatMap(group => group.versions)
      .map(({ groupVersion }) => ({ groupVersion, path: `/apis/${groupVersion}` })),
  ]
  const answers = await Promise.all(
    groupVersions.map(async ({ groupVersion, path }) => {
      try {
        return { resources: resourcesIn(parsed<ResourceListBody>(await connection.request('GET', path, options))) }
      } catch (error) {
        signal.throwIfAborted()
        return { unavailable: { groupVersion, why: messageOf(error) } }
      }
    }),
  )
  return {
    resources: answers.flatMap(answer => answer.resources ?? []),
    unavailable: answers.flatMap(answer => (answer.unavailable === undefined ? [] : [answer.unavailable])),
  }
}

function resourcesIn(body: ResourceListBody): ApiResource[] {
  const { group, version } = parseApiVersion(body.groupVersion)
  return (body.resources ?? [])
    .filter(resource => !resource.name.includes('/'))
    .map(resource => ({
      group,
      version,
      resource: resource.name,
      kind: resource.kind,
      namespaced: resource.namespaced,
      verbs: resource.verbs,
      shortNames: resource.shortNames ?? [],
    }))
}
