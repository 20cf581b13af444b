import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import type { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { httpAnnotation } from '../../containers/pod-http.ts'
import type { Twin } from '../../twin.ts'
import { startedWithPod } from './running-pod-for-tests.ts'

const rules = `
- { path: /healthz, body: ok }
- { method: POST, path: /api/*, status: 201, body: '{"made":true}', headers: { Content-Type: application/json } }
`
const annotated = () => startedWithPod(['get', 'create'], '1.36', { annotations: { [httpAnnotation]: rules } })

/** What kubectl 1.36.4 sent for `port-forward pod/web 18080:8080 18081:81` and four calls of curl, the last to a port that is not there. */
const recorded = [
  '80030001000000430000000100000000000078f9e3c6a7c26260606006a7b392a2d4c45c6851c29a5a54945f0429968b4a40b4858185010303036711241a3353181818180d00000000ffff',
  '0000000101000000',
  '800300010000001a00000003000000000000c2aa992525b12491b05e00000000ffff',
  '0000000300000054474554202f783f793d3120485454502f312e310d0a486f73743a206c6f63616c686f73743a31383038300d0a557365722d4167656e743a206375726c2f372e38382e310d0a4163636570743a202a2f2a0d0a0d0a',
  '0000000301000000',
  '80030001000000180000000500000000000082eac5afca1087d300000000ffff',
  '0000000501000000',
  '800300010000001400000007000000000000a2c0624300000000ffff',
  '0000000700000056474554202f6865616c74687a20485454502f312e310d0a486f73743a206c6f63616c686f73743a31383038300d0a557365722d4167656e743a206375726c2f372e38382e310d0a4163636570743a202a2f2a0d0a0d0a',
  '0000000701000000',
  '800300010000001400000009000000000000a2c4c74600000000ffff',
  '0000000901000000',
  '80030001000000140000000b000000000000a2c0622300000000ffff',
  '0000000b000000a0504f5354202f6170692f7468696e6720485454502f312e310d0a486f73743a206c6f63616c686f73743a31383038300d0a557365722d4167656e743a206375726c2f372e38382e310d0a4163636570743a202a2f2a0d0a436f6e74656e742d4c656e6774683a20330d0a436f6e74656e742d547970653a206170706c69636174696f6e2f782d7777772d666f726d2d75726c656e636f6465640d0a0d0a616263',
  '0000000b01000000',
  '80030001000000190000000d00000000000022ce62260b430cadc600000000ffff',
  '0000000d01000000',
  '80030001000000150000000f00000000000022ca5aac3a01000000ffff',
]

interface Talk {
  readonly protocol: string | undefined
  readonly messages: readonly Buffer[]
}

/** Sends all, and hears until `isDone` or the end. Clients of browsers may not name a protocol with a slash in it, as Kubernetes does. */
async function talk(
  twin: Twin,
  { protocols, query = '', send }: { protocols: string; query?: string; send: readonly Uint8Array[] },
  isDone: (messages: readonly Buffer[]) => boolean,
): Promise<Talk> {
  const token = await twin.issueToken({ namespace: 'default', serviceAccount: 'default' })
  const headers = {
    authorization: `Bearer ${token}`,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-protocol': protocols,
  }
  const url = `${twin.url}/api/v1/namespaces/default/pods/web/portforward${query}`
  const asked = request(url, { rejectUnauthorized: false, headers }).end()
  const [answer, socket, first] = (await once(asked, 'upgrade')) as [IncomingMessage, Duplex, Buffer]
  for (const one of send) socket.write(frame(one))
  let pending = first
  const messages: Buffer[] = []
  for await (const chunk of socket) {
    pending = Buffer.concat([pending, chunk])
    for (let read = messageOf(pending); read !== undefined; read = messageOf(pending)) {
      pending = pending.subarray(read.length)
      if (read.opcode === 2) messages.push(read.message)
    }
    if (isDone(messages)) break
  }
  socket.destroy()
  return { protocol: answer.headers['sec-websocket-protocol'], messages }
}

/** A binary message, masked with zeros. */
function frame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(8)
  head.set([0x82, 0x80 | 126])
  head.writeUInt16BE(message.length, 2)
  return Buffer.concat([head, message])
}

function messageOf(bytes: Buffer): { readonly opcode: number; readonly message: Buffer; readonly length: number } | undefined {
  if (bytes.length < 4) return undefined
  const isLong = bytes.readUInt8(1) === 126
  const start = isLong ? 4 : 2
  const length = start + (isLong ? bytes.readUInt16BE(2) : bytes.readUInt8(1))
  if (bytes.length < length) return undefined
  return { opcode: bytes.readUInt8(0) & 0x0f, message: bytes.subarray(start, length), length }
}

interface Streams {
  readonly replied: Set<number>
  readonly ended: Set<number>
  readonly reset: Set<number>
  readonly told: Map<number, string>
}

/** The frames that the twin sent, by stream. */
function streamsIn(messages: readonly Buffer[]): Streams {
  const streams: Streams = { replied: new Set(), ended: new Set(), reset: new Set(), told: new Map() }
  let bytes = Buffer.concat(messages)
  while (bytes.length >= 8) {
    const first = bytes.readUInt32BE(0)
    const body = bytes.subarray(8, 8 + bytes.readUIntBE(5, 3))
    if (first === 0x80030002) streams.replied.add(body.readUInt32BE(0))
    else if (first === 0x80030003) streams.reset.add(body.readUInt32BE(0))
    else {
      streams.told.set(first, (streams.told.get(first) ?? '') + body.toString())
      if (bytes[4] === 1) streams.ended.add(first)
    }
    bytes = bytes.subarray(8 + body.length)
  }
  return streams
}

test('a declared port answers what its pod says, as kubectl asks; another is refused as by a kubelet', async () => {
  await using twin = await annotated()
  const { protocol, messages } = await talk(
    twin,
    { protocols: 'SPDY/3.1+portforward.k8s.io', send: recorded.map(text => Buffer.from(text, 'hex')) },
    all => streamsIn(all).reset.has(15) && streamsIn(all).ended.size >= 7,
  )
  expect(protocol).toBe('SPDY/3.1+portforward.k8s.io')
  const { replied, ended, reset, told } = streamsIn(messages)
  expect([...replied]).toEqual([1, 3, 5, 7, 9, 11, 13, 15])
  expect(told.get(3)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*"port": 8080,[\s\S]*"path": "\/x\?y=1"/)
  expect(told.get(7)).toMatch(/\r\n\r\nok$/)
  expect(told.get(11)).toMatch(/^HTTP\/1\.1 201 Created\r\nContent-Type: application\/json\r\n[\s\S]*{"made":true}$/)
  expect([...ended].sort((one, other) => one - other)).toEqual([1, 3, 5, 7, 9, 11, 13])
  expect(told.get(13)).toMatch(/^error forwarding port 81 to pod [0-9a-f]{64}, uid : failed to execute portforward in network/)
  expect([...reset]).toEqual([15])
})

test('two channels a port, as clients of browsers and Python ask', async () => {
  await using twin = await annotated()
  const get = Buffer.from('\0GET /healthz HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n')
  const { protocol, messages } = await talk(
    twin,
    { protocols: 'v5.channel.k8s.io, v4.channel.k8s.io', query: '?ports=8080,81', send: [get] },
    () => false,
  )
  expect(protocol).toBe('v4.channel.k8s.io')
  const on = (channel: number) => Buffer.concat(messages.filter(one => one[0] === channel).map(one => one.subarray(1)))
  expect(on(0).subarray(0, 2)).toEqual(Buffer.from([0x90, 0x1f]))
  expect(on(0).toString()).toMatch(/200 OK[\s\S]*\r\n\r\nok$/)
  expect(on(1)).toEqual(Buffer.from([0x90, 0x1f]))
  expect(on(3).toString()).toMatch(/error forwarding port 81 to pod/)
})

test('ends where a client breaks the protocol', async () => {
  await using twin = await annotated()
  const opened = Buffer.from(recorded[0] ?? '', 'hex')
  const broken: readonly (readonly Buffer[])[] = [
    // A frame of 16 MB, one of version 2, headers that are not deflated, the same stream twice.
    [Buffer.from([0, 0, 0, 1, 0, 0xff, 0xff, 0xff])],
    [Buffer.from([0x80, 2, 0, 6, 0, 0, 0, 0])],
    [Buffer.concat([opened.subarray(0, 18), Buffer.alloc(opened.length - 18, 7)])],
    [opened, Buffer.concat([opened.subarray(0, 7), Buffer.from([14]), opened.subarray(8, 18), Buffer.from('0000ffff', 'hex')])],
  ]
  for (const send of broken) {
    const { messages } = await talk(twin, { protocols: 'SPDY/3.1+portforward.k8s.io', send }, () => false)
    expect(Buffer.concat(messages).subarray(-16, -8).toString('hex')).toBe('8003000700000008')
  }
})
