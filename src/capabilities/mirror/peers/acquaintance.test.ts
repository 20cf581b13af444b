import { describe, expect, it } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { Acquaintance, refreshEveryMs } from './acquaintance.ts'

async function acquaintance(refresh: () => Promise<void> = async () => undefined) {
  const clock = new VirtualClock(0)
  const stop = new AbortController()
  const asked: number[] = []
  const warnings: string[] = []
  const log = { ...silentLog, warn: (_facts: object, message: string) => void warnings.push(message) }
  const asking = new Acquaintance({
    clock,
    log,
    refresh: async () => {
      asked.push(clock.elapsed() / 1_000)
      await refresh()
    },
  })
  const kept = asking.keep(stop.signal)
  return { clock, stop, asked, warnings, asking, kept }
}

describe('asking around', () => {
  it('comes less and less often, at least every 10 min', async () => {
    const { clock, stop, asked, kept } = await acquaintance()
    await clock.advance(3 * refreshEveryMs)
    expect(asked).toEqual([1, 3, 7, 15, 31, 63, 127, 255, 511, 1_023, 1_623])
    stop.abort()
    await expect(kept).rejects.toThrow(/abort/)
  })

  it('begins anew 1 s after somebody came, once for all who come in that second', async () => {
    const { clock, asked, asking } = await acquaintance()
    await clock.advance(100_000)
    asked.length = 0
    asking.tellNews()
    await clock.advance(500)
    asking.tellNews()
    await clock.advance(16_000)
    expect(asked).toEqual([101, 103, 107, 115])
  })

  it('is not put off for ever by those who keep coming', async () => {
    const { clock, asked, asking } = await acquaintance()
    for (let tenths = 0; tenths < 100; tenths++) {
      asking.tellNews()
      await clock.advance(100)
    }
    expect(asked.length).toBeGreaterThanOrEqual(9)
  })

  it('goes on after a failure, which is told', async () => {
    const { clock, asked, warnings } = await acquaintance(() => Promise.reject(new Error('no')))
    await clock.advance(3_000)
    expect(asked).toEqual([1, 3])
    expect(warnings).toEqual(['could not ask around', 'could not ask around'])
  })
})
