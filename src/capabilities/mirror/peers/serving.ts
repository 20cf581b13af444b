// What a node answers to others' messages of Kademlia.
import type { Random } from '#kube/random.ts'
import type { Address } from './address.ts'
import { addressBytes } from './address.ts'
import { FrameReader, ProtocolFault } from './frames.ts'
import { bytesOfPeer, peerOfBytes, placeOf, textOf } from './keys.ts'
import { decodeMessage, encodeMessage, longestKey, type Message, messageTypes, type PeerRecord } from './message.ts'
import type { Stream } from './node.ts'
import type { PeerBook } from './peer-book.ts'
import type { ProviderRecords } from './provider-records.ts'
import type { RoutingTable } from './routing-table.ts'

/** Bytes of a request. */
const longestRequest = 64 * 1_024
/** Bytes of answers that are collected before they go. */
const mostUnsentReplies = 16 * 1_024
/** Providers in one answer, chosen anew each time. */
export const mostProvidersOfAnAnswer = 100
/** How long a record is valid where the provider does not say less. */
export const recordValidMs = 19 * 60_000

export interface Known {
  readonly own: string
  readonly ownAddresses: () => readonly Address[]
  readonly table: RoutingTable
  readonly book: PeerBook
  readonly records: ProviderRecords
  /** Those of a record's addresses that are to be dialled. */
  readonly believe: (addresses: readonly Uint8Array[]) => readonly Address[]
  /** Whether we announce the key ourselves; `key` as text of the digest. */
  readonly announces: (key: string) => boolean
  readonly random: Random
}

/** The answer to `message` of `asker`, `undefined` where there is none. @throws ProtocolFault where it breaks the protocol. */
export function answer(known: Known, message: Message, asker: string): Message | undefined {
  const { type, key } = message
  if (type === messageTypes.ping) return { ...empty, type }
  if (type === messageTypes.putValue || type === messageTypes.getValue) throw new ProtocolFault('values are not kept here')
  if (key.length === 0 || key.length > longestKey) throw new ProtocolFault(`a key of ${key.length} bytes`)
  if (type === messageTypes.addProvider) return remember(known, message, asker)
  if (type === messageTypes.findNode) return { ...empty, type, closer: [...itself(known, key), ...closest(known, key, asker)] }
  if (type !== messageTypes.getProviders) throw new ProtocolFault(`a message of type ${type}`)
  return { ...empty, type, key, providers: providersOf(known, key), closer: closest(known, key, asker) }
}

const empty = { key: new Uint8Array(), closer: [], providers: [], validSeconds: undefined }

function remember({ records, book, believe }: Known, { key, providers, validSeconds }: Message, asker: string): undefined {
  const digest = digestText(key)
  const id = bytesOfPeer(asker)
  // Nobody can announce for another; upstream leaves such records out too.
  const record = providers.find(provider => Buffer.compare(provider.id, id) === 0)
  if (digest === undefined || record === undefined) throw new ProtocolFault('an announcement without its own provider')
  if (validSeconds === 0) {
    records.remove(digest, asker)
    return
  }
  const addresses = believe(record.addresses)
  if (addresses.length === 0) return
  book.learn(asker, addresses, 'itself')
  records.add(digest, asker, Math.min(recordValidMs, (validSeconds ?? Number.POSITIVE_INFINITY) * 1_000))
}

/** The digest of a multihash as text; `undefined` where it is no SHA-256. */
export function digestText(multihash: Uint8Array): string | undefined {
  return multihash.length === 34 && multihash[0] === 0x12 && multihash[1] === 0x20 ? textOf(multihash.subarray(2)) : undefined
}

function providersOf(known: Known, key: Uint8Array): readonly PeerRecord[] {
  const digest = digestText(key)
  if (digest === undefined) return []
  const others = known.records.of(digest)
  const skip = others.length <= mostProvidersOfAnAnswer ? 0 : Math.floor(known.random() * others.length)
  const turned = [...others.slice(skip), ...others.slice(0, skip)].slice(0, mostProvidersOfAnAnswer)
  const found = turned.flatMap(peer => recordOf(known, peer))
  return known.announces(digest) ? [...ownRecord(known), ...found] : found
}

function closest(known: Known, key: Uint8Array, asker: string): readonly PeerRecord[] {
  const target = bytesOfPeer(asker)
  return known.table
    .nearest(placeOf(key))
    .filter(peer => peer !== asker)
    .flatMap(peer => recordOf(known, peer))
    .filter(({ id }) => Buffer.compare(id, key) !== 0 || Buffer.compare(key, target) === 0)
}

/** Whom the key names is told too, even ourselves and the asker: upstream proves peers by that. */
function itself(known: Known, key: Uint8Array): readonly PeerRecord[] {
  const peer = peerOfBytes(key)
  if (peer === undefined) return []
  return peer === known.own ? ownRecord(known) : recordOf(known, peer)
}

function ownRecord({ own, ownAddresses }: Known): readonly PeerRecord[] {
  const addresses = ownAddresses().map(addressBytes)
  return addresses.length === 0 ? [] : [{ id: bytesOfPeer(own), addresses }]
}

function recordOf({ book }: Known, peer: string): readonly PeerRecord[] {
  const addresses = book.addresses(peer).map(addressBytes)
  return addresses.length === 0 ? [] : [{ id: bytesOfPeer(peer), addresses }]
}

interface Serving {
  readonly stream: Stream
  readonly asker: string
  readonly known: Known
  /** Awaited between messages: hundreds may come at once. */
  readonly pause: () => Promise<void>
  readonly onMessage: () => void
  readonly onFault: (error: unknown) => void
}

/** Answers the messages of a stream until the peer closes it. */
export function serveStream({ stream, asker, known, pause, onMessage, onFault }: Serving): void {
  const frames = new FrameReader(longestRequest)
  let work = Promise.resolve()
  const handle = async (chunk: Uint8Array) => {
    // Answers of one piece go as one: each costs a window, an encryption and a call of the kernel.
    let unsent: Uint8Array[] = []
    let unsentBytes = 0
    const send = async () => {
      const replies = unsent
      unsent = []
      unsentBytes = 0
      if (replies.length > 0 && !stream.send(Buffer.concat(replies))) await stream.onDrain()
    }
    try {
      for (const frame of frames.push(chunk)) {
        const reply = answer(known, decodeMessage(frame), asker)
        onMessage()
        if (reply !== undefined) {
          const bytes = encodeMessage(reply)
          unsent.push(bytes)
          unsentBytes += bytes.length
        }
        if (unsentBytes >= mostUnsentReplies) await send()
        await pause()
      }
    } finally {
      // Those before one that breaks the protocol too.
      await send()
    }
    if (stream.readStatus === 'paused') stream.resume()
  }
  const give = (error: unknown) => {
    onFault(error)
    stream.abort(error instanceof Error ? error : new Error(String(error)))
  }
  stream.addEventListener('message', ({ data }) => {
    // Nothing more is read until this is worked off: the peer waits, not our memory.
    if (stream.readStatus === 'readable') stream.pause()
    work = work.then(() => handle(data.subarray())).catch(give)
  })
  stream.addEventListener('remoteCloseWrite', () => {
    void work.then(() => (stream.status === 'open' ? stream.close() : undefined)).catch(give)
  })
}
