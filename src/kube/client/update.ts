// Read, change, write, and again where another was faster.

import type { Clock } from '../clock.ts'
import type { KubeObject } from '../objects/objects.ts'
import { isConflict } from '../objects/status.ts'
import type { Random } from '../random.ts'
import type { ResourceApi, WriteOptions } from './api.ts'

interface UpdateOptions extends WriteOptions {
  readonly clock: Clock
  readonly random: Random
  /** Waits between the tries, in milliseconds. */
  readonly waitsMs?: readonly number[]
}

const defaultWaitsMs = [10, 10, 10, 10]
const waitJitter = 0.1

/**
 * Writes what `change` makes of the object as it is on the server; nothing when it returns the same object. Five tries.
 * @throws StatusError `isConflict` when all were overtaken, `isNotFound` when there is nothing to change.
 */
export async function updateObject<T extends KubeObject>(
  resource: ResourceApi<T>,
  name: string,
  change: (object: T) => T,
  options: UpdateOptions,
): Promise<T> {
  const { clock, random, waitsMs = defaultWaitsMs, ...write } = options
  for (let attempt = 0; ; attempt++) {
    const current = await resource.get(name, { signal: write.signal, namespace: write.namespace })
    const changed = change(current)
    if (changed === current) return current
    const waitMs = waitsMs[attempt]
    try {
      return await resource.update(changed, write)
    } catch (error) {
      if (!isConflict(error) || waitMs === undefined) throw error
      await clock.after(waitMs * (1 + waitJitter * random()), write.signal)
    }
  }
}

/**
 * `object` in the place of `before`, for an update under its version: fields, labels and annotations that it does not have stay as others
 * wrote them. Pure.
 */
export function inPlaceOf<T extends KubeObject>(before: KubeObject | undefined, object: T): T {
  if (before === undefined) return object
  const { metadata } = object
  const labels = { ...before.metadata.labels, ...metadata.labels }
  const annotations = { ...before.metadata.annotations, ...metadata.annotations }
  return { ...before, ...object, metadata: { ...before.metadata, ...metadata, labels, annotations } }
}

/** `data` in the place of `before`'s: keys that are not `ours` stay. Pure. */
export function dataInPlaceOf<Value>(
  before: KubeObject | undefined,
  data: Readonly<Record<string, Value>>,
  ours: readonly string[] = Object.keys(data),
): Readonly<Record<string, Value>> {
  const found: unknown = before?.['data']
  const others = Object.entries(typeof found === 'object' && found !== null ? found : {}).filter(([key]) => !ours.includes(key))
  return { ...Object.fromEntries(others), ...data }
}
