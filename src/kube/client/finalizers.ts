// Our finalizers, by JSON patches that fail rather than touch what changed meanwhile. Others' are never touched.

import type { KubeObject } from '../objects/objects.ts'
import { isConflict, isInvalid, isNotFound } from '../objects/status.ts'
import type { ResourceApi, WriteOptions } from './api.ts'

const tries = 5

/** Makes sure that `finalizer` is on the object before the first effect outside. Yields the object as written. @throws StatusError; for a deleted object too, which takes no new finalizers. */
export function addFinalizer<T extends KubeObject>(
  resource: ResourceApi<T>,
  object: T,
  finalizer: string,
  options: WriteOptions,
): Promise<T> {
  return patched(resource, object, options, current => {
    const finalizers = current.metadata.finalizers ?? []
    if (finalizers.includes(finalizer)) return undefined
    const version = { op: 'test', path: '/metadata/resourceVersion', value: current.metadata.resourceVersion }
    return finalizers.length === 0
      ? [version, { op: 'add', path: '/metadata/finalizers', value: [finalizer] }]
      : [version, { op: 'add', path: '/metadata/finalizers/-', value: finalizer }]
  })
}

/** Takes `finalizer` off. An object that is gone meanwhile is as well as done. @throws StatusError */
export async function removeFinalizer<T extends KubeObject>(
  resource: ResourceApi<T>,
  object: T,
  finalizer: string,
  options: WriteOptions,
): Promise<void> {
  try {
    await patched(resource, object, options, current => {
      const index = (current.metadata.finalizers ?? []).indexOf(finalizer)
      if (index < 0) return undefined
      const path = `/metadata/finalizers/${index}`
      return [
        { op: 'test', path, value: finalizer },
        { op: 'remove', path },
      ]
    })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

/** Sends the patch that `patchFor` makes of the object, with a fresh read after each that did not fit. */
async function patched<T extends KubeObject>(
  resource: ResourceApi<T>,
  object: T,
  options: WriteOptions,
  patchFor: (object: T) => readonly object[] | undefined,
): Promise<T> {
  const at = { ...options, namespace: object.metadata.namespace }
  let current = object
  for (let attempt = 1; ; attempt++) {
    const body = patchFor(current)
    if (body === undefined) return current
    try {
      return await resource.patch(object.metadata.name, { type: 'json', body }, at)
    } catch (error) {
      if (attempt >= tries || !(isInvalid(error) || isConflict(error))) throw error
    }
    current = await resource.get(object.metadata.name, { signal: options.signal, namespace: object.metadata.namespace })
  }
}
