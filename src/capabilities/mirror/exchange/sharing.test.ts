// A transfer that goes on is joined by who comes later, as far as its bytes are still to come; and what a peer denies on one route it may have
// on the other.
import { expect, test } from 'vitest'
import { digestOf } from '../testdata/memory-store.ts'
import { type Behaviour, found, PeerBed, readBody, refuse, serve } from './testdata/peer-bed.ts'

const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 13 + (index >> 9)) % 251))
const digest = digestOf(bytes)

/** Sends so much, and the rest when it is told to. */
function held(first: number): { readonly behave: Behaviour; readonly goOn: () => void } {
  const { promise, resolve: goOn } = Promise.withResolvers<void>()
  const behave: Behaviour = (request, response) => {
    if (request.headers.range !== undefined) {
      serve(bytes)(request, response)
      return
    }
    response.writeHead(200, { 'docker-content-digest': digest, 'content-length': bytes.length })
    response.write(bytes.subarray(0, first))
    void promise.then(() => response.end(bytes.subarray(first)))
  }
  return { behave, goOn }
}

test.each([
  ['a little ahead of what has come', 700_000, 1],
  ['far ahead of it', 2_900_000, 2],
])('who asks for a part that is %s', async (_name, start, requests) => {
  await using bed = await PeerBed.open(1, { verifyBufferBytes: 1_000 })
  const { behave, goOn } = held(100_000)
  const peer = bed.has(1, digest, behave)
  const first = found(await bed.blob(digest))
  const later = found(await bed.blob(digest, { range: { start } }))
  expect(later.range).toEqual({ start, end: bytes.length - 1 })
  const bodies = Promise.all([readBody(first.body), readBody(later.body)])
  goOn()
  const [whole, part] = await bodies
  expect([whole.isClean, whole.bytes.equals(bytes)]).toEqual([true, true])
  expect([part.isClean, part.bytes.equals(bytes.subarray(start))]).toEqual([true, true])
  expect(peer.asked).toHaveLength(requests)
})

test('many readers of one transfer get the same memory, and all of it comes right', async () => {
  await using bed = await PeerBed.open(1, { verifyBufferBytes: 1_000 })
  const peer = bed.has(1, digest, serve(bytes))
  const answers = await Promise.all(Array.from({ length: 12 }, () => bed.blob(digest)))
  const bodies = await Promise.all(answers.map(answer => readBody(found(answer).body)))
  expect(bodies.every(body => body.isClean && body.bytes.equals(bytes))).toBe(true)
  expect(peer.asked).toHaveLength(1)
})

test('a blob that is asked for as a manifest costs a miss, and its peer is still asked for the blob', async () => {
  await using bed = await PeerBed.open(1)
  const small = Buffer.from('0123456789')
  const peer = bed.has(1, digestOf(small), (request, response) => {
    if (request.url?.includes('/manifests/')) refuse(404)(request, response)
    else serve(small)(request, response)
  })
  expect(await bed.manifest({ digest: digestOf(small) })).toMatchObject({ outcome: 'not-found', reason: 'failed' })
  expect(bed.router.dropped).toEqual([])
  expect((await readBody(found(await bed.blob(digestOf(small))).body)).bytes).toEqual(small)
  // It was told that it is no manifest there, and is not asked that again for a while.
  expect(await bed.manifest({ digest: digestOf(small) })).toMatchObject({ outcome: 'not-found', attempts: 0 })
  expect(peer.asked).toHaveLength(2)
  await bed.clock.advance(5_000)
  expect(await bed.manifest({ digest: digestOf(small) })).toMatchObject({ outcome: 'not-found', attempts: 1 })
})
