// Objects as a real server answers with them in JSON and in protobuf. What the twin makes of the one is to be the other, byte for byte.
import { seededRandom } from '#kube/random.ts'
import type { MinorVersion } from '../control-plane/build.ts'
import { livesOf } from './lives.ts'
import type { Side } from './pair.ts'
import { Said } from './request.ts'
import { type ServedKind, servedKinds } from './served.ts'
import { makeNamespace, startServers } from './servers.ts'

export interface MessagePair {
  readonly kind: string
  readonly json: string
  /** Base64. */
  readonly message: string
}

const protobuf = { accept: 'application/vnd.kubernetes.protobuf' }
/** Objects that a server goes on writing are read again. */
const mostReads = 5
/** Lives that are begun for one object that the server takes. */
const livesOfOne = 4

/** So many objects of each kind that is stored, as `seed` draws them. */
export async function messagePairs(
  minor: MinorVersion,
  { seed, perKind }: { readonly seed: number; readonly perKind: number },
): Promise<{ readonly serverVersion: string; readonly pairs: readonly MessagePair[] }> {
  await using servers = await startServers(minor)
  using open = servers.open()
  const kinds = (await servedKinds(servers.client)).filter(({ verbs }) => verbs.includes('get'))
  const pairs: MessagePair[] = []
  for (const [index, kind] of kinds.entries()) {
    await makeNamespace(open.real, `d-${kind.plural}`)
    pairs.push(...(await pairsOf(kind, open.real, { seed: seed * 1000 + index, first: index * 10_000, perKind })))
  }
  return { serverVersion: servers.serverVersion, pairs }
}

async function pairsOf(
  kind: ServedKind,
  side: Side,
  { seed, first, perKind }: { readonly seed: number; readonly first: number; readonly perKind: number },
): Promise<readonly MessagePair[]> {
  const pairs: MessagePair[] = []
  let number = first
  for (const life of livesOf(kind, seededRandom(seed))) {
    if (pairs.length === perKind || ++number > first + perKind * livesOfOne) return pairs
    const post = life.requests.find(({ verb, path }) => verb === 'POST' && !path.includes('dryRun'))
    if (post === undefined) continue
    const asked = new Said(life, number).wire({ ...post, contentType: 'application/json' })
    const made = await side.send(asked)
    if (made.status >= 300) continue
    const { metadata } = JSON.parse(made.text) as { readonly metadata: { readonly name: string } }
    const path = `${asked.path.split('?')[0]}/${metadata.name}`
    const pair = await readBoth(side, path)
    if (pair !== undefined) pairs.push({ kind: life.kind, ...pair })
    await side.send({ verb: 'DELETE', path })
  }
  return pairs
}

/** The object in both, where it was not written meanwhile. */
async function readBoth(side: Side, path: string): Promise<Omit<MessagePair, 'kind'> | undefined> {
  for (let read = 0; read < mostReads; read++) {
    const before = await side.send({ verb: 'GET', path })
    const { bytes } = await side.send({ verb: 'GET', path, headers: protobuf })
    const after = await side.send({ verb: 'GET', path })
    if (before.status === 200 && before.text === after.text && bytes !== undefined)
      return { json: before.text, message: Buffer.from(bytes).toString('base64') }
  }
  return undefined
}
