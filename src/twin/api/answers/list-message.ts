// Lists as protobuf: the frame says how long the list is before its first byte, so all items are written before any is sent.
import { breather } from '#kube/controllers/breather.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { contentTypes } from '#kube/server/answer-bodies.ts'
import type { Draft } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'
import type { TwinResponse } from '../request.ts'
import type { ListShape } from './list-text.ts'
import { framedList, listItems } from './protobuf-object.ts'

/** Items that are written at once, and handed on as a piece. */
const itemsAtOnce = 64

/** The answer; between its items others have their turn. */
export async function listMessage(
  server: ApiServer,
  { head, itemOf }: ListShape,
  objects: Iterable<KubeObject>,
): Promise<TwinResponse> {
  const breathe = breather(server.wire)
  const pieces: Uint8Array[] = []
  let items: Draft[] = []
  for (const object of objects) {
    items.push({ ...itemOf(object) })
    if (items.length < itemsAtOnce) continue
    pieces.push(listItems(head, items))
    items = []
    await breathe()
  }
  pieces.push(listItems(head, items))
  const parts = framedList(head, pieces)
  const headers = { 'content-type': contentTypes.protobuf }
  if (pieces.length === 1) return { kind: 'whole', status: 200, headers, body: Buffer.concat(parts) }
  return { kind: 'stream', status: 200, headers, chunks: oneByOne(parts), isList: true }
}

async function* oneByOne(parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts
}
