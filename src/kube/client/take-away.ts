// An object of ours is taken away, and what others have put into it is not: by the API server's record of who owns which fields.
import type { KubeObject, ManagedFieldsEntry } from '../objects/objects.ts'
import { isConflict, isNotFound } from '../objects/status.ts'
import type { ResourceApi } from './api.ts'
import type { RequestOptions } from './request-options.ts'

/** `kept`: entries of others are in it, and what was ours is not any more. */
type TakenAway = 'deleted' | 'kept' | 'gone'

interface TakeAwayOptions extends RequestOptions {
  /** Whether a field manager is ours. Unless given: those that begin with `ballast`, and Reloader's, as whom we write in its place. */
  readonly isOurs?: (manager: string) => boolean
  /** Only an object of this UID is taken away. */
  readonly uid?: string | undefined
  readonly propagationPolicy?: 'Background'
}

type Fields = Readonly<Record<string, unknown>>

const conflictTries = 5
const maps = ['data', 'binaryData'] as const
const marks = ['labels', 'annotations'] as const

/** Whether we write as `manager`. */
export function isOwnManager(manager: string): boolean {
  return manager.startsWith('ballast') || manager === 'Reloader'
}

/** Whether one of `isOurs` has written anything of `object`; where the server keeps no record, nobody knows better than its name. */
export function isWrittenBy({ metadata }: KubeObject, isOurs: (manager: string) => boolean = isOwnManager): boolean {
  const { managedFields = [] } = metadata
  return managedFields.length === 0 || managedFields.some(({ manager }) => isOurs(manager))
}

/**
 * The merge patch that takes what is ours out of `object`, where entries of others are in it (webhooks, keys of data); undefined where there
 * are none. Labels and annotations of others alone are no entry: they go with an object of ours. Pure.
 */
export function withoutOurs(object: KubeObject, isOurs: (manager: string) => boolean = isOwnManager): Fields | undefined {
  const { managedFields = [], resourceVersion } = object.metadata
  if (managedFields.length === 0) return undefined
  const ours = managedFields.filter(({ manager, subresource }) => isOurs(manager) && subresource === undefined)
  const patch: Record<string, unknown> = {}
  let isOthers = false
  for (const field of maps) {
    const keys = Object.keys(fieldsOf(object[field]))
    const own = keys.filter(key => ours.some(entry => isOwned(entry, `f:${field}`, `f:${key}`)))
    isOthers ||= own.length < keys.length
    if (own.length > 0) patch[field] = Object.fromEntries(own.map(key => [key, null]))
  }
  const webhooks = Array.isArray(object['webhooks']) ? object['webhooks'].map(fieldsOf) : []
  const others = webhooks.filter(({ name }) => !ours.some(entry => isOwned(entry, 'f:webhooks', `k:${JSON.stringify({ name })}`)))
  isOthers ||= others.length > 0
  if (others.length < webhooks.length) patch['webhooks'] = others
  if (!isOthers) return undefined
  const taken = marks.flatMap(field => {
    const own = Object.keys(object.metadata[field] ?? {}).filter(key =>
      ours.some(entry => isOwned(entry, 'f:metadata', `f:${field}`, `f:${key}`)),
    )
    return own.length === 0 ? [] : [[field, Object.fromEntries(own.map(key => [key, null]))] as const]
  })
  if (taken.length === 0 && Object.keys(patch).length === 0) return {}
  return { ...patch, metadata: { resourceVersion, ...Object.fromEntries(taken) } }
}

/**
 * Takes `name` away as far as it is ours, as the server has it just then: an entry that somebody adds meanwhile is a conflict, and looked at
 * again. Safe to call when there is none. @throws StatusError for any refusal but that it is gone
 */
export async function takeAway(resource: ResourceApi<KubeObject>, name: string, options: TakeAwayOptions): Promise<TakenAway> {
  const { isOurs, uid: only, propagationPolicy, ...request } = options
  for (let attempt = 1; ; attempt++) {
    try {
      const object = await resource.get(name, request)
      const { uid, resourceVersion } = object.metadata
      if (only !== undefined && uid !== only) return 'gone'
      const body = withoutOurs(object, isOurs)
      if (body === undefined) {
        const preconditions = {
          ...(uid === undefined ? {} : { uid }),
          ...(resourceVersion === undefined ? {} : { resourceVersion }),
        }
        await resource.delete(name, {
          ...request,
          preconditions,
          ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
        })
        return 'deleted'
      }
      if (Object.keys(body).length > 0) await resource.patch(name, { type: 'merge', body }, request)
      return 'kept'
    } catch (error) {
      if (isNotFound(error)) return 'gone'
      if (!isConflict(error) || attempt >= conflictTries) throw error
    }
  }
}

function isOwned({ fieldsV1 }: ManagedFieldsEntry, ...path: readonly string[]): boolean {
  const found = path.reduce<unknown>((fields, key) => fieldsOf(fields)[key], fieldsV1)
  return found !== undefined
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {}
}
