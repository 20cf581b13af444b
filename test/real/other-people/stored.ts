// What two servers keep of the same manifests, field by field.
import { comparable } from '#test/api-answers.ts'
import { type Finding, findingsOf } from '../differential/findings.ts'

export interface StoredObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

export interface StoredDifference extends Finding {
  readonly object: string
}

/** The objects of an answer of `kubectl get -o json`. @throws Error where it is none */
export function objectsOf(text: string): readonly StoredObject[] {
  if (text.trim() === '') return []
  const answer = JSON.parse(text) as StoredObject | { readonly kind: string; readonly items: readonly StoredObject[] }
  return 'items' in answer ? answer.items : [answer]
}

export function nameOf({ kind, metadata: { namespace, name } }: StoredObject): string {
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`
}

/** Fields in which objects of the same kind and name differ, and objects that one side alone has. */
export function storedDifferences(real: readonly StoredObject[], twin: readonly StoredObject[]): readonly StoredDifference[] {
  const theirs = new Map(twin.map(object => [nameOf(object), object]))
  const missing = twin.filter(object => !real.some(other => nameOf(other) === nameOf(object)))
  return [
    ...real.flatMap(object => {
      const name = nameOf(object)
      const other = theirs.get(name)
      if (other === undefined) return [{ object: name, way: 'value', field: '', real: 'there', twin: 'not there' } as const]
      return findingsOf(answerOf(object), answerOf(other)).map(finding => ({ object: name, ...finding }))
    }),
    ...missing.map(object => ({ object: nameOf(object), way: 'value', field: '', real: 'not there', twin: 'there' }) as const),
  ]
}

/** A chart that makes keys and certificates makes others each time; in base64, in a Secret. */
export const drawnCertificate = /LS0tLS1CRUdJTi[A-Za-z0-9+/=]+/g

function answerOf(object: StoredObject) {
  // What templates are hashed to is in the names of ReplicaSets and revisions.
  const text = JSON.stringify(comparable(object))
    .replaceAll(/(?<=-)[bcdfghjklmnpqrstvwxz2456789]{6,10}(?=\\?")/g, 'HASH')
    .replaceAll(drawnCertificate, 'DRAWN')
    // Owners are keys of managed fields by their identity.
    .replaceAll(/(?<=\\"uid\\":\\")[0-9a-f-]{36}/g, 'UID')
  return { status: 200, headers: {}, answer: JSON.parse(text) as unknown }
}
