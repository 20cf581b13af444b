import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { seededRandom } from '#kube/random.ts'
import { testSettings } from '../stream/streams-for-tests.ts'
import { LoadingSource } from './loading-source.ts'

test('says how far it has come, as one epoch whose sequence grows', async () => {
  const clock = new VirtualClock(1_000)
  const source = new LoadingSource({
    ...{ clock, random: seededRandom(1), mode: 'twin', cluster: 'homelab', settings: testSettings, shown: 'examples/homelab' },
  })
  const first = source.current()
  expect(first).toMatchObject({ loading: { shown: 'examples/homelab', loaded: 0, total: undefined }, sequence: 1, nowMs: 1_000 })
  expect([first.state.nodes.size, first.book.permits.length]).toEqual([0, 0])
  let told = 0
  const end = source.onChange(() => told++)
  source.tell(61, 412)
  await clock.advance(500)
  const next = source.current()
  expect(next).toMatchObject({ loading: { loaded: 61, total: 412 }, sequence: 2, epoch: first.epoch, nowMs: 1_500 })
  end()
  source.tell(62, 412)
  expect(told).toBe(1)
})
