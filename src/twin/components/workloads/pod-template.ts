// Pods made from templates, and templates compared: by content with the hash label left out, never by the hash.
import type { OwnerReference, Pod, PodTemplateSpec } from '#kube/objects/objects.ts'
import { jsonText } from '../../json-value.ts'

export const templateHashLabel = 'pod-template-hash'
const hashCharacters = 'bcdfghjklmnpqrstvwxz2456789'

/** JSON with sorted keys and without what is absent: the same text for the same content. */
export function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(item => canonicalText(item)).join(',')}]`
  if (typeof value !== 'object' || value === null) return jsonText(value) ?? 'null'
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined && field !== null)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonicalText(field)}`).join(',')}}`
}

/** The template as text for comparing: the label `pod-template-hash` and an empty creationTimestamp do not count. */
export function templateText(template: PodTemplateSpec | undefined): string {
  if (template === undefined) return ''
  const known = texts.get(template)
  if (known !== undefined) return known
  const text = textOf(template)
  texts.set(template, text)
  return text
}

/** Stored templates are frozen and shared, so a text holds as long as its template. */
const texts = new WeakMap<PodTemplateSpec, string>()

function textOf(template: PodTemplateSpec): string {
  const { labels = {}, annotations = {}, ...metadata } = template.metadata ?? {}
  const { [templateHashLabel]: _, ...ownLabels } = labels
  const { creationTimestamp: __, ...rest } = metadata
  const filled = (map: Readonly<Record<string, string>>) => (Object.keys(map).length === 0 ? undefined : map)
  return canonicalText({
    metadata: { ...rest, labels: filled(ownLabels), annotations: filled(annotations) },
    spec: template.spec,
  })
}

/**
 * A hash for the names of ReplicaSets and revisions: FNV-1a over the template's text and a count of collisions,
 * in characters that make no words. Upstream hashes a Go dump of the same content, so the values differ from its.
 */
export function templateHash(text: string, collisions: number): string {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(collisions === 0 ? text : `${text}#${collisions}`)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  }
  return [...String(hash)].map(digit => hashCharacters.charAt(digit.charCodeAt(0) % hashCharacters.length)).join('')
}

/** A reference that makes `owner` the controller and blocks its foreground deletion. */
export function controllerReference(owner: {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly uid?: string }
}): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  }
}

interface PodIdentity {
  /** One of the two, or both where the name says which of its kind it is. */
  readonly name?: string
  readonly generateName?: string
  readonly namespace: string
  readonly owner: OwnerReference
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
}

/** The pod a controller sends to the API server: the template's metadata and spec under the identity. */
export function podFromTemplate(template: PodTemplateSpec, identity: PodIdentity): Pod {
  const { owner, labels, annotations, finalizers, ...names } = identity
  const allAnnotations = { ...template.metadata?.annotations, ...annotations }
  const allFinalizers = [...(template.metadata?.finalizers ?? []), ...(finalizers ?? [])]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: '',
      ...names,
      labels: { ...template.metadata?.labels, ...labels },
      ...(Object.keys(allAnnotations).length === 0 ? {} : { annotations: allAnnotations }),
      ...(allFinalizers.length === 0 ? {} : { finalizers: allFinalizers }),
      ownerReferences: [owner],
    },
    spec: template.spec,
  }
}
