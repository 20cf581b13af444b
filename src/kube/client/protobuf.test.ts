import protobuf from 'protobufjs'
import { describe, expect, test } from 'vitest'
import { decodeFrame, encodeFrame } from './protobuf.ts'

// A second opinion on the format: the message as protobufjs writes it.
const { root } = protobuf.parse(`
  syntax = "proto2";
  message TypeMeta { optional string apiVersion = 1; optional string kind = 2; }
  message Unknown { optional TypeMeta typeMeta = 1; optional bytes raw = 2; optional string contentEncoding = 3; optional string contentType = 4; }
`)
const unknown = root.lookupType('Unknown')
const framed = (message: Uint8Array) => Buffer.concat([Uint8Array.of(0x6b, 0x38, 0x73, 0), message])

describe('frames', () => {
  const raw = new Uint8Array(300).fill(7)

  test('are read as protobufjs writes them', () => {
    const bytes = framed(unknown.encode({ typeMeta: { apiVersion: 'v1', kind: 'Pod' }, raw, contentType: 'x' }).finish())
    expect(decodeFrame(bytes)).toEqual({
      ok: true,
      value: {
        apiVersion: 'v1',
        kind: 'Pod',
        raw: expect.objectContaining({ length: 300 }),
        contentEncoding: '',
        contentType: 'x',
      },
    })
  })

  test('are written so that protobufjs reads them', () => {
    const bytes = encodeFrame({ apiVersion: 'apps/v1', kind: 'Deployment', raw })
    expect(unknown.toObject(unknown.decode(bytes.subarray(4)))).toMatchObject({
      typeMeta: { apiVersion: 'apps/v1', kind: 'Deployment' },
      contentType: '',
    })
    const decoded = decodeFrame(bytes)
    expect(decoded.ok && Array.from(decoded.value.raw)).toEqual(Array.from(raw))
  })

  test.each([
    ['JSON', new TextEncoder().encode('{}')],
    ['nothing', new Uint8Array()],
    ['a cut message', encodeFrame({ apiVersion: 'v1', kind: 'Pod', raw }).subarray(0, 100)],
    ['an endless number', framed(new Uint8Array(12).fill(0xff))],
    ['a group', framed(Uint8Array.of(0x0b))],
    ['a cut fixed number', framed(Uint8Array.of(0x09, 1))],
  ])('%s is refused', (_case, bytes) => {
    expect(decodeFrame(bytes, 'body')).toMatchObject({ ok: false, problem: { code: 'protobuf-frame', where: 'body' } })
  })
})
