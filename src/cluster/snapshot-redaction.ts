// The part of a Secret that goes into a snapshot: which keys it has and which values are equal, never a value.
import type { KubeObject } from '#kube/objects/objects.ts'

/** On every Secret whose values were left out. */
export const redactedAnnotation = 'ballast.dev/redacted'

/** The longest annotation of a Secret that is kept: what tools note of the whole object, packed or not, is longer. */
const longestAnnotation = 256
/** Shorter values say nothing when they occur in an annotation: they would be found everywhere. */
const shortestTelling = 4

/**
 * Takes the values out of Secrets, of all of one snapshot. Equal values get equal stand-ins, numbered in the order in which they are
 * met: nothing can be guessed from them, not even by hashing guesses, and the same Secrets in the same order give the same text.
 */
export class SecretRedaction {
  readonly #numbers = new Map<string, number>()

  /** `object` without Secrets' values; anything but a core Secret is handed back as it is. */
  redacted(object: KubeObject): KubeObject {
    if (object.kind !== 'Secret' || object.apiVersion !== 'v1') return object
    const { data, stringData, metadata, apiVersion, kind, ...rest } = object
    const encoded = new Map(
      fieldsOf(stringData).map(([key, value]) => [key, Buffer.from(String(value), 'utf8').toString('base64')]),
    )
    const values = new Map([...fieldsOf(data).map(([key, value]): [string, string] => [key, String(value)]), ...encoded])
    const standIns = [...values].map(([key, value]) => [key, this.#standIn(key, value)] as const)
    return {
      apiVersion,
      kind,
      metadata: {
        ...metadata,
        annotations: { ...harmless(metadata.annotations, [...values.values()]), [redactedAnnotation]: 'true' },
      },
      ...rest,
      ...(standIns.length === 0 ? {} : { data: Object.fromEntries(standIns) }),
    }
  }

  /** Base64 like the value's own. API servers insist on JSON in a registry's credentials. */
  #standIn(key: string, value: string): string {
    const number = this.#numbers.get(value) ?? this.#numbers.size + 1
    this.#numbers.set(value, number)
    const text = `ballast-redacted:${number}`
    const isCredentials = key === '.dockerconfigjson' || key === '.dockercfg'
    return Buffer.from(isCredentials ? JSON.stringify({ [text]: {} }) : text, 'utf8').toString('base64')
  }
}

/** The fields of a map as an API server has it; nothing of what is none. */
function fieldsOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : []
}

/** The annotations that cannot carry a value: short ones in which none occurs, neither plain nor encoded. */
function harmless(annotations: unknown, values: readonly string[]): Record<string, unknown> {
  const telling = values
    .flatMap(value => [value, Buffer.from(value, 'base64').toString('utf8')])
    .filter(text => text.length >= shortestTelling)
  const kept = fieldsOf(annotations).filter(
    ([name, text]) =>
      name !== 'kubectl.kubernetes.io/last-applied-configuration' &&
      typeof text === 'string' &&
      text.length <= longestAnnotation &&
      !telling.some(value => text.includes(value)),
  )
  return Object.fromEntries(kept)
}
