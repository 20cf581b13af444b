// What Helm makes of a chart, in a form that can be compared with what we make of the same values.
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '#kube/objects/objects.ts'

/** Only Helm has the first, and the second says who installed. */
const differing = ['helm.sh/chart', 'app.kubernetes.io/managed-by']

/** The documents of a rendered chart. @throws Error for one that is no YAML */
export function documentsOf(text: string): readonly KubeObject[] {
  return parseAllDocuments(text).flatMap(document => {
    const [error] = document.errors
    if (error !== undefined) throw new Error(`rendered chart: ${error.message}`)
    const object: unknown = document.toJS()
    return object === null ? [] : [object as KubeObject]
  })
}

/** Object by what it is called, with its keys in order and without what Helm alone says. */
export function canonical(objects: readonly KubeObject[]): Readonly<Record<string, unknown>> {
  const entries = objects.map(object => {
    const { apiVersion, kind, metadata } = object
    return [`${apiVersion} ${kind} ${metadata.namespace ?? ''}/${metadata.name}`, sorted(withoutHelm(object))] as const
  })
  const names = entries.map(([name]) => name)
  const [twice] = names.filter((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) throw new Error(`two objects are ${twice}`)
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function withoutHelm(object: KubeObject): KubeObject {
  const { labels, ...metadata } = object.metadata
  if (labels === undefined) return object
  const kept = Object.fromEntries(Object.entries(labels).filter(([key]) => !differing.includes(key)))
  return { ...object, metadata: { ...metadata, labels: kept } }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined)
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, sorted(inner)]))
}
