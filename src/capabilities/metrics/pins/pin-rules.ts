// A kubelet's key is pinned: what is kept of it, and what a key that is seen means beside it. Pure.
//
// The public key is pinned, not the certificate: a certificate that is renewed for the same key (k3s does so when it starts) is the same
// kubelet's, and the key is all that a handshake proves.
import { createHash, type X509Certificate } from 'node:crypto'

export const pinsName = 'ballast-kubelet-pins'

/** Bytes of names and pins together: 5,000 nodes with names of 63 letters take 721 kB, and a ConfigMap holds 1 MiB. */
const largestPins = 1_000_000

interface Pin {
  /** SHA-256 of the certificate's SubjectPublicKeyInfo, as base64url. */
  readonly key: string
  /** The Node object's: one that is made anew may have another key. */
  readonly uid: string
}

export interface PinnedNode {
  readonly name: string
  readonly uid: string
}

export function keyOf(certificate: X509Certificate): string {
  return createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url')
}

export const pinText = ({ key, uid }: Pin): string => `sha256:${key} ${uid}`

const pattern = /^sha256:([A-Za-z0-9_-]{43})\s+([A-Za-z0-9-]{1,64})$/

/** Undefined for what is no pin. */
export function readPin(text: string): Pin | undefined {
  const [, key, uid] = pattern.exec(text.trim()) ?? []
  return key === undefined || uid === undefined ? undefined : { key, uid }
}

/** What a key that a node showed means. */
export type PinVerdict =
  | 'pinned'
  | 'unpinned'
  /** The Node object is another than the one whose key is pinned. */
  | 'renewed'
  | 'changed'
  /** What is written there is no pin. */
  | 'rubbish'

export function judgePin(text: string | undefined, { uid }: Pick<PinnedNode, 'uid'>, key: string): PinVerdict {
  if (text === undefined) return 'unpinned'
  const pin = readPin(text)
  if (pin === undefined) return 'rubbish'
  if (pin.uid !== uid) return 'renewed'
  return pin.key === key ? 'pinned' : 'changed'
}

export type Pins = Readonly<Record<string, string>>

/** What is kept of a node. */
export function pinAt(pins: Pins | undefined, name: string): string | undefined {
  return pins !== undefined && Object.hasOwn(pins, name) ? pins[name] : undefined
}

/** A key that was seen of a node, which is to be judged. */
export interface SeenKey {
  readonly node: PinnedNode
  readonly key: string
}

/** What became of it: `pinned` now, or why it is not believed. */
export type PinOutcome = 'pinned' | 'changed' | 'rubbish' | 'other-node' | 'full'

/**
 * What is to be written, with what is said of each key. A pin of a node that is there is never overwritten, unless the node is another.
 * @param liveUids of nodes that are made anew, as the server has them now
 * @param gone nodes whose pins are of no use any more
 */
export function decidePins(
  before: Pins,
  seen: readonly SeenKey[],
  liveUids: ReadonlyMap<string, string | undefined>,
  gone: ReadonlySet<string>,
): { readonly pins: Pins; readonly isChanged: boolean; readonly outcomes: readonly PinOutcome[] } {
  const pins = new Map(Object.entries(before).filter(([name]) => !gone.has(name)))
  let bytes = [...pins].reduce((sum, [name, text]) => sum + sizeOf(name, text), 0)
  let isChanged = pins.size !== Object.keys(before).length
  const outcomes = seen.map(({ node, key }): PinOutcome => {
    const was = pins.get(node.name)
    const verdict = judgePin(was, node, key)
    if (verdict === 'pinned' || verdict === 'changed' || verdict === 'rubbish') return verdict
    if (verdict === 'renewed' && liveUids.get(node.name) !== node.uid) return 'other-node'
    const text = pinText({ key, uid: node.uid })
    const more = sizeOf(node.name, text) - (was === undefined ? 0 : sizeOf(node.name, was))
    if (readPin(text) === undefined) return 'other-node'
    if (bytes + more > largestPins) return 'full'
    bytes += more
    pins.set(node.name, text)
    isChanged = true
    return 'pinned'
  })
  return { pins: Object.fromEntries(pins), isChanged, outcomes }
}

const sizeOf = (name: string, text: string): number => Buffer.byteLength(name) + Buffer.byteLength(text)

/** The line that has the next key of a node pinned in the place of the last. */
export function forgetLine(namespace: string, node: string): string {
  return `kubectl -n ${namespace} patch configmap ${pinsName} --type=merge -p '{"data":{"${node}":null}}'`
}
