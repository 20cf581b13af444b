// One ConfigMap, Secret or SecretProviderClass as reload knows it: its name, four annotations, the hashes of its content, and when it
// changed. Never its data.
import { type AnnotationKeys, type Annotations, annotationOf, entriesOf, fixedAnnotationKeys } from '../annotations.ts'
import type { SourceContent } from './content-hash.ts'

export const sourceTypes = ['configmap', 'secret', 'secretproviderclass'] as const
export type SourceType = (typeof sourceTypes)[number]

export interface SourceReference {
  readonly type: SourceType
  readonly namespace: string
  readonly name: string
}

/** What the object itself says about reloading. */
export interface SourceAnnotations {
  /** It never reloads anything. */
  readonly ignore: boolean
  /** Workloads in search mode take it. */
  readonly match: boolean
  /** Whose workloads may name it from elsewhere; `*`: all. */
  readonly allowNamespaces: readonly string[]
  /** What it held must not be used any more: reloads of it are of class safety. */
  readonly revoked: boolean
  /** kapp makes it anew under another name for each version: coming and going says nothing. */
  readonly isVersioned: boolean
}

export interface SourceState {
  readonly reference: SourceReference
  readonly annotations: SourceAnnotations
  /** `unread`: it exists, and nobody has read it yet in this version. */
  readonly content: SourceContent | 'unread' | 'absent'
  /** Empty where it is absent. */
  readonly resourceVersion: string
  /** Tells an object from a later one of its name; empty where it is absent. */
  readonly uid: string
  /** Milliseconds since 1970; not before the last change of the content: when it was heard of, or the API server's own time of it. */
  readonly changedAtMs: number
}

/** `configmap/shop/settings`: one text per source, for maps. */
export function sourceKey({ type, namespace, name }: SourceReference): string {
  return `${type}/${namespace}/${name}`
}

/** What an object's annotations say; upstream takes only the exact text `true`. */
export function sourceAnnotations(annotations: Annotations | undefined, keys: AnnotationKeys): SourceAnnotations {
  const given = annotations ?? {}
  return {
    ignore: annotationOf(given, keys.ignore) === 'true',
    match: annotationOf(given, keys.match) === 'true',
    allowNamespaces: entriesOf(annotationOf(given, fixedAnnotationKeys.allowNamespaces)),
    revoked: isRevoked(annotationOf(given, fixedAnnotationKeys.revoked)),
    isVersioned: annotationOf(given, fixedAnnotationKeys.versioned) !== undefined,
  }
}

/** Any text but `false` and nothing: whoever writes a date or a reason there means it. */
function isRevoked(text: string | undefined): boolean {
  return text !== undefined && text !== '' && text !== 'false'
}

/** The reference behind a key of the baseline; `undefined` where it is none. */
export function referenceOf(key: string): SourceReference | undefined {
  const [typeText, namespace, name, more] = key.split('/')
  const type = sourceTypes.find(one => one === typeText)
  return type === undefined || namespace === undefined || name === undefined || more !== undefined
    ? undefined
    : { type, namespace, name }
}
