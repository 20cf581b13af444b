import protobuf from 'protobufjs'
import { describe, expect, test } from 'vitest'
import * as api from './containerd-api.ts'

// A second opinion: the same messages as containerd's own definitions have them, by name and number, through protobufjs itself.
const { root } = protobuf.parse(`
  syntax = "proto3";
  package t;
  message Any { string type_url = 1; bytes value = 2; }
  message Envelope { string namespace = 2; string topic = 3; Any event = 4; }
  message Descriptor { string media_type = 1; string digest = 2; int64 size = 3; map<string, string> annotations = 5; }
  message Image { string name = 1; map<string, string> labels = 2; Descriptor target = 3; }
  message ListImagesRequest { repeated string filters = 1; }
  message ListImagesResponse { repeated Image images = 1; }
  message Info { string digest = 1; int64 size = 2; map<string, string> labels = 5; }
  message ListContentResponse { repeated Info info = 1; }
  message ReadContentRequest { string digest = 1; int64 offset = 2; int64 size = 3; }
  message ReadContentResponse { int64 offset = 1; bytes data = 2; }
  message Status { string ref = 3; int64 offset = 4; int64 total = 5; string expected = 6; }
  message ListStatusesResponse { repeated Status statuses = 1; }
  message Lease { string id = 1; map<string, string> labels = 3; }
  message CreateRequest { string id = 1; map<string, string> labels = 3; }
  message StatusRequest { bool verbose = 1; }
`)
const encoded = (type: string, value: object) => {
  const message = root.lookupType(`t.${type}`)
  return message.encode(message.fromObject(value)).finish()
}
const decoded = (type: string, bytes: Uint8Array) => root.lookupType(`t.${type}`).decode(bytes).toJSON()

describe('messages', () => {
  test('are read as others write them, with what we do not ask for passed over', () => {
    const bytes = encoded('ListImagesResponse', {
      images: [
        {
          name: 'a/b:1',
          labels: { x: 'y', z: '' },
          target: { mediaType: 'm', digest: 'd', size: 5_000_000_000, annotations: { a: 'b' } },
        },
        { name: 'a/b:2' },
      ],
    })
    expect(api.listImages.response.decode(bytes)).toEqual({
      images: [
        {
          name: 'a/b:1',
          labels: new Map([
            ['x', 'y'],
            ['z', ''],
          ]),
          target: { mediaType: 'm', digest: 'd', size: 5_000_000_000 },
        },
        { name: 'a/b:2', labels: new Map(), target: undefined },
      ],
    })
    expect(
      api.listStatuses.response.decode(
        encoded('ListStatusesResponse', { statuses: [{ ref: 'r', offset: 1, total: 2, expected: 'e' }] }),
      ),
    ).toEqual({ statuses: [{ ref: 'r', offset: 1, total: 2 }] })
    expect(api.readContent.response.decode(encoded('ReadContentResponse', { offset: 3, data: Buffer.from('abc') }))).toEqual({
      offset: 3,
      data: Buffer.from('abc'),
    })
    expect(
      api.subscribe.response.decode(
        encoded('Envelope', { namespace: 'k8s.io', topic: '/t', event: { typeUrl: 'u', value: Buffer.from('v') } }),
      ),
    ).toEqual({ namespace: 'k8s.io', topic: '/t', event: { typeUrl: 'u', value: Buffer.from('v') } })
  })

  test('are written so that others read them', () => {
    const read = { digest: 'd', offset: 7_000_000_000, size: 1 }
    expect(decoded('ReadContentRequest', api.readContent.request.encode(read))).toEqual({
      digest: 'd',
      offset: '7000000000',
      size: '1',
    })
    expect(decoded('ListImagesRequest', api.listImages.request.encode({ filters: ['a', 'b'] }))).toEqual({ filters: ['a', 'b'] })
    expect(decoded('StatusRequest', api.criStatus.request.encode({ verbose: true }))).toEqual({ verbose: true })
    const lease = { id: 'l', labels: new Map([['containerd.io/gc.expire', '2026-01-01T00:00:00Z']]) }
    expect(decoded('CreateRequest', api.createLease.request.encode(lease))).toEqual({
      id: 'l',
      labels: { 'containerd.io/gc.expire': '2026-01-01T00:00:00Z' },
    })
  })

  test('that end within a field are refused', () => {
    const bytes = encoded('ListContentResponse', { info: [{ digest: 'd'.repeat(20), size: 1 }] })
    expect(() => api.listContent.response.decode(bytes.subarray(0, 10))).toThrow(RangeError)
  })
})
