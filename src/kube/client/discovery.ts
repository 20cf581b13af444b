// What an API server serves.

import { messageOf } from '../log.ts'
import { parseApiVersion } from '../objects/resource.ts'
import { AnswerError } from '../outside-error.ts'
import { type Connection, parseJson } from './connection.ts'

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

interface Served {
  readonly name: string
  readonly kind: string
  readonly namespaced: boolean
  readonly verbs: readonly string[]
  readonly shortNames?: readonly string[]
}

/** All served resources; groups that do not answer are named beside them. @throws StatusError when the server does not say what groups it has. */
export async function discover(connection: Connection, signal: AbortSignal): Promise<Discovery> {
  const options = { signal }
  const core = parseJson(await connection.request('GET', '/api', options))
  const groups = parseJson(await connection.request('GET', '/apis', options))
  const groupVersions = [
    ...listIn(core, 'versions', isText).map(version => ({ groupVersion: version, path: `/api/${version}` })),
    ...listIn(groups, 'groups', isGroup)
      .flatMap(group => group.versions)
      .map(({ groupVersion }) => ({ groupVersion, path: `/apis/${groupVersion}` })),
  ]
  const answers = await Promise.all(
    groupVersions.map(async ({ groupVersion, path }) => {
      try {
        return { resources: resourcesIn(groupVersion, parseJson(await connection.request('GET', path, options))) }
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

function resourcesIn(groupVersion: string, body: unknown): ApiResource[] {
  const { group, version } = parseApiVersion(groupVersion)
  return listIn(body, 'resources', isServed)
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

/** A list of an answer; none where it is left out. @throws AnswerError where it is no list of these */
function listIn<T>(answer: unknown, key: string, is: (one: unknown) => one is T): readonly T[] {
  const list = isRecord(answer) ? (answer[key] ?? []) : undefined
  if (Array.isArray(list) && list.every(is)) return list
  throw new AnswerError(`what the server says that it serves cannot be read: ${key}`)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isGroup(value: unknown): value is { readonly versions: readonly { readonly groupVersion: string }[] } {
  return (
    isRecord(value) &&
    Array.isArray(value['versions']) &&
    value['versions'].every(one => isRecord(one) && isText(one['groupVersion']))
  )
}

function isServed(value: unknown): value is Served {
  if (!isRecord(value) || !isText(value['name']) || !isText(value['kind'])) return false
  const { verbs, shortNames = [] } = value
  return Array.isArray(verbs) && verbs.every(isText) && Array.isArray(shortNames) && shortNames.every(isText)
}
