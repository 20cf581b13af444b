import { expect, test } from 'vitest'
import type { Transport } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { heardTransport } from './heard-transport.ts'

test('is silent until an answer, and again when answers stay away or are failures', async () => {
  const clock = new VirtualClock(0)
  let status = 503
  const inner: Transport = {
    request: () => Promise.resolve({ status, headers: {}, body: new Uint8Array() }),
    stream: () => Promise.reject(new Error('not asked')),
    close: () => Promise.resolve(),
  }
  const transport = heardTransport(inner, clock)
  const ask = () => transport.request({ verb: 'GET', path: '/version', signal: new AbortController().signal })
  await ask()
  expect(transport.silence()).toBe('the API server has not answered yet')
  status = 200
  await ask()
  expect(transport.silence()).toBeUndefined()
  await clock.advance(31_000)
  expect(transport.silence()).toBe('the API server has not answered for 31 s')
  await ask()
  expect(transport.silence()).toBeUndefined()
})
