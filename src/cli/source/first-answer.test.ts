import { describe, expect, test } from 'vitest'
import { ConnectionError, RequestTimeoutError } from '#kube/client/connection-error.ts'
import type { TransportRequest, TransportResponse } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { awaitFirstAnswer } from './first-answer.ts'

const server = 'https://10.0.0.1:6443'
const answer: TransportResponse = { status: 401, headers: {}, body: new Uint8Array() }

async function asked(answers: (request: TransportRequest, clock: VirtualClock) => Promise<TransportResponse>) {
  const clock = new VirtualClock(0)
  const said: string[] = []
  const say = (line: string) => void said.push(`${clock.elapsed()} ms: ${line}`)
  const { signal } = new AbortController()
  let end: string | undefined
  const asking = awaitFirstAnswer({ request: request => answers(request, clock) }, { server, clock, signal, say }).then(
    () => {
      end = 'answered'
    },
    (error: Error) => {
      end = error.message
    },
  )
  await clock.runUntil(() => end !== undefined, { limitMs: 60_000 })
  await asking
  return { end, said, ms: clock.elapsed() }
}

describe('the first answer of a server', () => {
  test('of any status is one, and nothing is said', async () =>
    expect(await asked(async () => answer)).toEqual({ end: 'answered', said: [], ms: 0 }))

  test('that refuses connections is waited for, with words after 2 s and an end after 10', async () => {
    const { end, said, ms } = await asked(async () => {
      throw new ConnectionError('connect ECONNREFUSED 10.0.0.1:6443', { code: 'ECONNREFUSED' })
    })
    expect(end).toBe(`no answer from ${server} in 10 s: connect ECONNREFUSED 10.0.0.1:6443`)
    expect(said).toEqual([`2000 ms: waiting for ${server}: connect ECONNREFUSED 10.0.0.1:6443`])
    expect(ms).toBeGreaterThan(9_000)
    expect(ms).toBeLessThanOrEqual(10_000)
  })

  test('that says nothing at all is given 10 s', async () => {
    const { end, said, ms } = await asked(async ({ timeoutMs = 0 }, clock) => {
      await clock.after(timeoutMs)
      throw new RequestTimeoutError('no answer within its time')
    })
    expect(end).toBe(`no answer from ${server} in 10 s: no answer within its time`)
    expect(said).toEqual([`2000 ms: waiting for ${server}`])
    expect(ms).toBe(10_000)
  })

  test('that comes while we wait is enough', async () => {
    const { end, ms } = await asked(async (_request, clock) => {
      if (clock.elapsed() < 3_000) throw new ConnectionError('refused')
      return answer
    })
    expect({ end, ms }).toEqual({ end: 'answered', ms: 3_000 })
  })

  test('what is no matter of waiting is thrown as it is', async () =>
    expect((await asked(() => Promise.reject(new TypeError('no such plugin')))).end).toBe('no such plugin'))
})
