// What may be other on the twin when other people's controllers run there, each with its reason.
import type { StoredDifference } from '../other-people/stored.ts'

interface AcceptedField {
  readonly object: RegExp
  readonly field: RegExp
  readonly why: string
}

// biome-ignore format: a table
const fields: readonly AcceptedField[] = [
  { object: /^Application argocd\//, field: /^metadata\.generation$/, why: 'it counts how often the controller wrote a status, which lies in no subresource' },
  { object: /^Application argocd\//, field: /^status\.(operationState\.(operation|syncResult|message|startedAt|finishedAt)|history)/, why: 'how many of the objects that somebody deleted one round of healing finds is chance' },
  { object: /^HorizontalPodAutoscaler apps\/keda-hpa-(least|both)$/, field: /^status\.conditions/, why: 'whether a round looks for it while it is gone, and forgets what it recommended, is chance' },
  { object: /^Secret apps\//, field: /^data\.key\.der$/, why: 'a private key that each side draws, in a format that does not show it' },
]

export function isAccepted({ object, field }: StoredDifference): boolean {
  return fields.some(row => row.object.test(object) && row.field.test(field))
}

// biome-ignore format: a table
const chances: readonly (readonly [line: RegExp, why: string])[] = [
  [/the object has been modified/, 'two writers meet at one moment or do not'],
  [/is already managed by the (hpa|ScaledObject)/, 'KEDA tries its rules in the order of a Go map, and tells the first that is broken'],
  [/(not found|context canceled)"?\}$/, 'KEDA looks at something while it is deleted, or is told before'],
  [/certificate signed by unknown authority/, 'an adapter is asked before it has read whom to trust, or after'],
  [/grpc: addrConn\.createTransport failed to connect/, 'the adapter starts before the operator listens, or after'],
  [/certificaterequests\.cert-manager\.io .* already exists/, 'a cache that has not been told of what its owner made has it made once more'],
]

/** A complaint that a run on the real server may have or not, by chance. */
export function isChance(line: string): boolean {
  return chances.some(([chance]) => chance.test(line))
}
