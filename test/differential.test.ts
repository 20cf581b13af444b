// Generated requests to every kind, answered by the twin as a real kube-apiserver answered them, but for what is known.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Transport } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { startTwin } from '#twin/twin.ts'
import type { WireAnswer, WireRequest } from './real/bad-input/wire.ts'
import { fieldsIn, standingOf, toBeMended } from './real/differential/accepted.ts'
import { findingsOf, requestText } from './real/differential/findings.ts'
import { ask, type Side } from './real/differential/pair.ts'
import { reasons } from './real/differential/reasons.ts'
import { Said } from './real/differential/request.ts'
import { makeNamespace } from './real/differential/servers.ts'
import { type RecordedLife, readLives } from './recorded-lives.ts'
import { readMessages, twinMessage } from './recorded-messages.ts'

const { lives } = readLives(readFileSync(join(import.meta.dirname, 'fixtures', 'differential', 'lives.json.gz')))
const known = toBeMended('1.36')
/** It may only become less: `record.ts --known` writes the table anew. */
const mostToBeMended = 35
const kinds = [...Map.groupBy(lives, ({ kind }) => kind)]

test.each(['1.36', '1.34'] as const)('each difference beside %s that is to be mended has a reason', minor => {
  const named = Object.values(toBeMended(minor)).flatMap(ways => Object.values(ways).flatMap(byReason => Object.keys(byReason)))
  expect(named.filter(reason => !Object.hasOwn(reasons, reason))).toEqual([])
})

test('no more differences are to be mended than were', () => {
  expect(fieldsIn(toBeMended('1.36'))).toBeLessThanOrEqual(mostToBeMended)
})

test('objects of every kind are the recorded bytes in protobuf', () => {
  const pairs = readMessages(readFileSync(join(import.meta.dirname, 'fixtures', 'differential', 'messages.json.gz')))
  expect(new Set(pairs.map(({ kind }) => kind)).size).toBeGreaterThan(50)
  expect(pairs.filter(({ json, message }) => twinMessage(json) !== message)).toEqual([])
})

describe.each(kinds)('%s', (_kind, lives) => {
  test('every answer is the recorded one', async () => {
    const bugs: string[] = []
    const clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))
    await using twin = await startTwin({
      clock,
      wire: clock,
      seed: 1,
      components: false,
      kubernetesVersion: '1.36',
      onTrouble: ({ where, error }) => bugs.push(`${where}: ${error instanceof Error ? error.stack : error}`),
    })
    const side = sideOf(twin.transport({ admin: true }), clock)
    await makeNamespace(side, lives[0]?.namespace ?? '')
    const found: unknown[] = []
    for (const life of lives) found.push(...(await differencesIn(life, side)))
    expect({ bugs, found }).toEqual({ bugs: [], found: [] })
  })
})

async function differencesIn(life: RecordedLife, side: Side): Promise<readonly unknown[]> {
  const said = new Said(life, life.number)
  const found: unknown[] = []
  for (const { request, real } of life.exchanges) {
    const findings = findingsOf(real, await ask(side, said, request))
    const open = findings.filter(finding => standingOf(life.kind, finding, known) === 'open')
    found.push(...open.map(finding => ({ ...finding, request: requestText(request) })))
    // What follows differs for it.
    if (findings.some(({ way }) => way === 'refused' || way === 'taken')) return found
  }
  return found
}

/** The twin as a server that answers on the wire. */
function sideOf(transport: Transport, clock: VirtualClock): Side {
  const decoder = new TextDecoder()
  return {
    async send({ verb, path, headers = {}, body }: WireRequest): Promise<WireAnswer> {
      const [plain = '', query = ''] = path.split('?')
      const request = {
        verb: verb as 'GET',
        path: plain,
        query: Object.fromEntries(new URLSearchParams(query)),
        headers: { accept: 'application/json', 'user-agent': 'tester/1', ...headers },
        ...(body === undefined ? {} : { body }),
        signal: new AbortController().signal,
      }
      if (!query.startsWith('watch=true')) {
        const answer = await transport.request(request)
        return { status: answer.status, headers: answer.headers, text: decoder.decode(answer.body), bytes: answer.body }
      }
      const { status, headers: answered, chunks } = await transport.stream(request)
      const text = textOf(chunks)
      await clock.advance(1_000)
      return { status, headers: answered, text: await text }
    },
  }
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const read: Uint8Array[] = []
  for await (const chunk of chunks) read.push(chunk)
  return Buffer.concat(read).toString()
}
