// Bookmarks of a watch: up to which revision the watcher has everything.
import { setAt } from '../../json-value.ts'
import { zeroOfStruct } from '../../schema/go-form.ts'
import { kindSchema } from '../../schema/kind-schema.ts'
import { apiVersionOf, type ResourceType } from '../resource-type.ts'
import { type EventForm, eventLine } from './event-text.ts'

/** An object of the kind in which nothing is set but the revision. */
export function bookmarkLine(
  form: EventForm,
  revision: number,
  annotations: Readonly<Record<string, string>> | undefined,
): Uint8Array {
  const metadata = { resourceVersion: String(revision), ...(annotations === undefined ? {} : { annotations }) }
  return Buffer.from(eventLine('BOOKMARK', JSON.stringify(bookmarkObject(form, metadata))))
}

interface BookmarkMetadata {
  readonly resourceVersion: string
  readonly annotations?: Readonly<Record<string, string>>
}

function bookmarkObject({ type, form }: EventForm, metadata: BookmarkMetadata): object {
  switch (form.shape) {
    case 'object':
      return { kind: type.kind, apiVersion: apiVersionOf(type), ...emptyObject(type, metadata) }
    case 'metadata':
      return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${form.version}`, metadata }
    case 'table': {
      const row = { cells: [], object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata } }
      return {
        kind: 'Table',
        apiVersion: `meta.k8s.io/${form.version}`,
        metadata: { resourceVersion: metadata.resourceVersion },
        columnDefinitions: null,
        rows: [row],
      }
    }
  }
}

/** Kinds whose replicas are a plain number inside of the server, so that nothing is 0. */
const countedKinds = new Set(['deployments.apps', 'replicasets.apps', 'statefulsets.apps'])

function emptyObject(type: ResourceType, metadata: BookmarkMetadata): object {
  if (type.custom !== undefined) return { metadata }
  const zero = { ...zeroOfStruct(kindSchema(type)), metadata: { ...metadata } }
  if (countedKinds.has(type.key)) setAt(zero, ['spec', 'replicas'], 0)
  if (type.key === 'daemonsets.apps') setAt(zero, ['metadata', 'annotations', templateGeneration], '0')
  return zero
}

/** Where the server shows a count that it keeps in a field of its own. */
const templateGeneration = 'deprecated.daemonset.template.generation'
