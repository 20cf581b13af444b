// Reading objects whose shape nobody has checked: what is not of the type that it should be is not there.
import type { KubeObject } from '#kube/objects/objects.ts'

export type Fields = Readonly<Record<string, unknown>>

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The field of `fields`, its own only: `__proto__` and `constructor` are names like any other. */
export function fieldOf(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined
}

/** The map in the field, empty where there is none. */
export function fieldsIn(fields: Fields, name: string): Fields {
  const value = fieldOf(fields, name)
  return isFields(value) ? value : {}
}

/** The text in the field, or `undefined`. */
export function textIn(fields: Fields, name: string): string | undefined {
  const value = fieldOf(fields, name)
  return typeof value === 'string' ? value : undefined
}

/** The maps in a list, in their order; everything else in it is left out. */
export function listIn(fields: Fields, name: string): readonly Fields[] {
  const value = fieldOf(fields, name)
  return Array.isArray(value) ? value.filter(isFields) : []
}

/** The map of texts in the field: annotations, labels. Entries of other types are left out. */
export function textsIn(fields: Fields, name: string): Readonly<Record<string, string>> {
  const value = fieldsIn(fields, name)
  const entries = Object.entries(value)
  if (entries.every(([, text]) => typeof text === 'string')) return value as Readonly<Record<string, string>>
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}

/** When `kubectl rollout restart` last restarted a workload: the text of `kubectl.kubernetes.io/restartedAt` of its template; `undefined` where it has none. */
export function restartOf(workload: KubeObject | undefined): string | undefined {
  const template = fieldsIn(fieldsIn(workload ?? {}, 'spec'), 'template')
  return textsIn(fieldsIn(template, 'metadata'), 'annotations')['kubectl.kubernetes.io/restartedAt']
}
