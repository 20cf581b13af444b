// Objects of a real server in JSON and in protobuf.
import { gunzipSync } from 'node:zlib'
import { framedObject } from '#twin/api/answers/protobuf-object.ts'
import { fieldsAt, jsonTree } from '#twin/json-value.ts'
import type { MessagePair } from './real/differential/messages.ts'

/** Base64 of what the twin makes of an object's JSON. */
export function twinMessage(json: string): string {
  return Buffer.from(framedObject(fieldsAt({ object: jsonTree(json) }, 'object') ?? {})).toString('base64')
}

/** What `record.ts` wrote. */
export function readMessages(packed: Uint8Array): readonly MessagePair[] {
  return JSON.parse(gunzipSync(packed).toString()).pairs as readonly MessagePair[]
}
